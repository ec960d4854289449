use cgcg_core::Db;

use crate::assembly::Assembly;
use crate::cli::Keys;
use crate::console::say;
use crate::settings::Settings;
use crate::{Failure, master_key};

pub(crate) async fn run(what: Keys, settings: &Settings) -> Result<(), Failure> {
    let assembly = Assembly::open_existing(settings).await?;
    match what {
        #[cfg(feature = "auth")]
        Keys::List { json } => signing::list(&assembly, json).await,
        #[cfg(feature = "auth")]
        Keys::Rotate { now, revoke, json } => signing::rotate(&assembly, now, revoke, json).await,
        Keys::RotateMaster => match &assembly.db {
            Some(db) => rotate_master(&assembly, settings, db).await,
            None => Err("nothing in this build keeps data".into()),
        },
    }
}

/// All or nothing: what is sealed anew, and which key the database belongs to.
async fn rotate_master(assembly: &Assembly, settings: &Settings, db: &Db) -> Result<(), Failure> {
    let keys = master_key::load(settings, db).await?;
    let mut conn = db.begin().await?;
    let sealed = assembly.seal_anew(&mut conn).await?;
    master_key::hand_over(&keys, &mut conn).await?;
    conn.commit().await?;
    say(format!(
        "{sealed} keys are sealed with keys.master, and servers with keys.previous alone no longer start"
    ));
    say(
        "keep keys.previous for as long as auth.sessions.idle says, and 7 days at least, then take it away",
    );
    Ok(())
}

#[cfg(feature = "auth")]
mod signing {
    use cgcg_auth::Pace;
    use cgcg_auth::keyring::{KeyState, ListedKey};
    use cgcg_core::{Principal, Timestamp};

    use super::{Assembly, Failure, say};

    pub(super) async fn list(assembly: &Assembly, json: bool) -> Result<(), Failure> {
        let keys = assembly
            .built
            .auth
            .list_keys(&Principal::operator())
            .await?;
        print(&keys, json)
    }

    pub(super) async fn rotate(
        assembly: &Assembly,
        now: bool,
        revoke: Option<String>,
        json: bool,
    ) -> Result<(), Failure> {
        let (auth, by) = (&assembly.built.auth, Principal::operator());
        let pace = if now { Pace::Soon } else { Pace::Published };
        if now || revoke.is_none() {
            auth.rotate_keys(&by, pace).await?;
        }
        if let Some(kid) = revoke {
            auth.revoke_key(&by, &kid).await?;
        }
        print(&auth.list_keys(&by).await?, json)
    }

    fn print(keys: &[ListedKey], json: bool) -> Result<(), Failure> {
        if json {
            say(serde_json::to_string_pretty(keys)?);
            return Ok(());
        }
        say(format!("{:43}  {:7}  when", "kid", "state"));
        for key in keys {
            say(format!("{}  {:7}  {}", key.kid, key.state, when(key)));
        }
        Ok(())
    }

    fn when(key: &ListedKey) -> String {
        let (what, time) = match key.state {
            KeyState::Active => ("signs since", key.activate_at),
            KeyState::Next => ("signs from", key.activate_at),
            KeyState::Retired => ("good until", key.delete_at),
        };
        format!(
            "{what} {}",
            time.as_ref().map_or_else(String::new, Timestamp::to_string)
        )
    }
}
