//! One ledger of migrations per feature, in the same database.

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use crate::{Db, Engine};

/// The migrations of one feature, oldest first.
///
/// A build with fewer features starts on a fuller database: it never looks into ledgers of features that it does
/// not have. A build that is older than its own ledger does not start.
#[derive(Debug)]
pub struct Migrations {
    /// The table that remembers what was applied: `_migrations_<feature>`.
    pub ledger: &'static str,
    /// What was applied once is frozen. A later step mends it.
    pub steps: &'static [Step],
}

/// One change of the schema, written for both databases.
#[derive(Debug)]
pub struct Step {
    /// From 1 in each feature, rises by one.
    pub version: i64,
    /// For people who read the ledger.
    pub name: &'static str,
    /// SQL for SQLite.
    pub sqlite: &'static str,
    /// SQL for PostgreSQL.
    pub postgres: &'static str,
}

/// How the schema of a database goes with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// Every step was applied, and no other.
    Current,
    /// So many steps are missing.
    Behind(usize),
    /// This step was applied by a newer program.
    Ahead(i64),
    /// This step was applied in another form.
    Changed(i64),
}

impl Migrations {
    /// Applies what is missing, all of it or nothing. Several nodes may do so at once.
    ///
    /// On SQLite all missing steps are one transaction, so a step cannot contain what SQLite refuses or ignores
    /// inside of one (`vacuum`, `pragma foreign_keys`).
    pub async fn run(&self, db: &Db) -> Result<(), MigrateError> {
        db.migrate(&self.migrator(db.engine())).await
    }

    /// What [`Migrations::run`] would find there. Changes nothing.
    pub async fn state(&self, db: &Db) -> sqlx::Result<SchemaState> {
        let applied = db.applied(self.ledger).await?.unwrap_or_default();
        let migrator = self.migrator(db.engine());
        for (version, checksum) in &applied {
            match migrator.iter().find(|step| step.version == *version) {
                None => return Ok(SchemaState::Ahead(*version)),
                Some(step) if *step.checksum != **checksum => {
                    return Ok(SchemaState::Changed(*version));
                }
                Some(_) => {}
            }
        }
        Ok(match self.steps.len() - applied.len() {
            0 => SchemaState::Current,
            missing => SchemaState::Behind(missing),
        })
    }

    fn migrator(&self, engine: Engine) -> Migrator {
        let steps = self.steps.iter().map(|step| {
            let sql = match engine {
                Engine::Sqlite => step.sqlite,
                Engine::Postgres => step.postgres,
            };
            Migration::new(
                step.version,
                step.name.into(),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        });
        let mut migrator = Migrator::with_migrations(steps.collect());
        migrator.dangerous_set_table_name(self.ledger);
        migrator
    }
}
