//! The process, put together: database, key, schema, features.

use std::sync::Arc;

#[cfg(feature = "auth")]
use cgcg_core::Principal;
use cgcg_core::{
    Clock, Conn, Db, MIGRATIONS, Migrations, SchemaState, ScopeInfo, SystemClock, Trouble,
};

use crate::master_key::MasterKeys;
use crate::modules::{Built, Parts};
use crate::settings::Settings;
use crate::{Failure, features, master_key, own};

/// What the process is made of.
pub(crate) struct Assembly {
    pub(crate) built: Built,
    pub(crate) clock: Arc<dyn Clock>,
    /// `None` where nothing in this build keeps data.
    pub(crate) db: Option<Db>,
}

impl Assembly {
    /// Opens the database, checks the key, brings the schema up to date where the settings say so, and makes and
    /// starts every feature.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        if !features::STORES {
            return Self::detached(settings);
        }
        master_key::make_folder(&settings.data.dir)?;
        let db = Db::open(&settings.database).await?;
        if settings.database.migrate {
            migrate(&MIGRATIONS, &db).await?;
        }
        let keys = master_key::load(settings, &db).await;
        let keys = match (keys, settings.database.migrate) {
            (Err(failure), false) => {
                return Err(format!(
                    "{failure}; where the schema is older than this program, run: cgcg migrate"
                )
                .into());
            }
            (keys, _) => keys?,
        };
        let assembly = Self::make(settings, db, keys)?;
        if settings.database.migrate {
            assembly.migrate().await?;
        }
        #[cfg(feature = "auth")]
        assembly.built.auth.open(&assembly.scopes()).await?;
        #[cfg(feature = "tasks")]
        crate::own_tasks::open(assembly.built.tasks.tasks()).await?;
        Ok(assembly)
    }

    /// As [`Assembly::open`], where a server has kept something already: whoever looks at it or acts on it makes no new
    /// database, schema or key.
    pub(crate) async fn open_existing(settings: &Settings) -> Result<Self, Failure> {
        if !features::STORES {
            return Self::open(settings).await;
        }
        let mend =
            "say where it is (--data, --config, CGCG_DATABASE__URL), or start the server once";
        if let Some(file) = settings.database.file()
            && !file.exists()
        {
            return Err(format!("there is no database at {}; {mend}", file.display()).into());
        }
        let db = Db::open(&settings.database).await?;
        let state = MIGRATIONS.state(&db).await;
        db.close().await;
        match state? {
            SchemaState::Behind(steps) if steps == MIGRATIONS.steps.len() => {
                Err(format!("no server has used this database; {mend}").into())
            }
            _ => Self::open(settings).await,
        }
    }

    /// What a build has, for printing: nothing is reached, nothing is kept.
    #[cfg(any(
        feature = "sqlite",
        feature = "postgres",
        feature = "users",
        feature = "tasks"
    ))]
    pub(crate) fn detached(settings: &Settings) -> Result<Self, Failure> {
        let keys = MasterKeys {
            current: cgcg_core::MasterKey::generate()?,
            previous: None,
        };
        Self::make(settings, Db::detached()?, keys)
    }

    /// All that there is in a build that keeps nothing.
    #[cfg(not(any(
        feature = "sqlite",
        feature = "postgres",
        feature = "users",
        feature = "tasks"
    )))]
    pub(crate) fn detached(settings: &Settings) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        Ok(Self {
            built: Built::empty(settings, &clock)?,
            clock,
            db: None,
        })
    }

    /// What a build has, on a database whose schema is up to date: nothing is started, nothing is written.
    pub(crate) fn make(settings: &Settings, db: Db, keys: MasterKeys) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let parts = Parts {
            settings,
            clock,
            db,
            keys,
        };
        let built = Built::new(&parts)?;
        Ok(Self {
            built,
            clock: parts.clock,
            db: Some(parts.db),
        })
    }

    async fn migrate(&self) -> Result<(), Failure> {
        let Some(db) = &self.db else { return Ok(()) };
        for migrations in self
            .built
            .modules
            .iter()
            .filter_map(|module| module.migrations())
        {
            migrate(migrations, db).await?;
        }
        Ok(())
    }

    /// Seals with the current master key what was sealed with the one before; answers how many that were.
    #[cfg(feature = "auth")]
    pub(crate) async fn seal_anew(&self, conn: &mut Conn) -> Result<usize, Failure> {
        let auth = &self.built.auth;
        Ok(auth.reseal_keys(conn, &Principal::operator()).await?)
    }

    /// Without auth nothing is sealed.
    #[cfg(not(feature = "auth"))]
    pub(crate) async fn seal_anew(&self, _: &mut Conn) -> Result<usize, Failure> {
        Ok(0)
    }

    /// Every right that routes of this build ask for.
    pub(crate) fn scopes(&self) -> Vec<ScopeInfo> {
        let modules = self.built.modules.iter().flat_map(|module| module.scopes());
        own::ALL.iter().chain(modules).copied().collect()
    }

    /// The OpenAPI document of this build.
    pub(crate) fn document(&self) -> Result<String, Failure> {
        Ok(cgcg_web::document(
            own::openapi(),
            &self.scopes(),
            &self.built.modules,
        )?)
    }
}

async fn migrate(migrations: &Migrations, db: &Db) -> Result<(), Failure> {
    match migrations.run(db).await {
        Err(error) if Trouble::of_migration(&error) == Trouble::Busy => Err(format!(
            "the schema stays as it was, because others use its tables: end what runs there (a backup, an open \
             transaction), then start again; {error}"
        )
        .into()),
        migrated => Ok(migrated?),
    }
}
