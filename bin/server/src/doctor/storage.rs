use std::time::Duration;

use cgcg_core::{Clock, Db, DbFacts, Engine, MIGRATIONS, Migrations, SchemaState, SystemClock};

use super::Finding;
use crate::assembly::Assembly;
use crate::settings::Settings;
use crate::{Failure, master_key};

/// Oldest PostgreSQL that still gets fixes. Source: <https://www.postgresql.org/support/versioning/>
const OLDEST: u32 = 14;
/// Clocks that part by less are as good as one.
const SKEW: Duration = Duration::from_secs(2);
/// Tokens of one node are refused by another from here on.
const TOO_MUCH: Duration = Duration::from_secs(5);

/// The database, and all that is known only through it.
pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    if let Some(file) = settings.database.file().filter(|file| !file.exists()) {
        let found = format!("{} is not there yet", file.display());
        let new = Finding::warn("database", found).mend("the first start makes it");
        return vec![new, key(settings, None).0];
    }
    let db = match Db::open(&settings.database).await {
        Ok(db) => db,
        Err(failure) => return vec![unreachable(&failure.to_string())],
    };
    let findings = open(settings, &db).await;
    db.close().await;
    findings
}

async fn open(settings: &Settings, db: &Db) -> Vec<Finding> {
    let mut findings = match db.facts().await {
        Ok(facts) => vec![release(db, &facts), clock(&facts)],
        Err(failure) => return vec![unreachable(&failure.to_string())],
    };
    match behind(settings, db).await {
        Ok((finding, current)) => {
            findings.push(finding);
            findings.extend(keys(settings, db, current).await);
        }
        Err(failure) => findings.push(Finding::fail("schema", failure.to_string())),
    }
    findings
}

fn unreachable(failure: &str) -> Finding {
    Finding::fail("database", failure).mend("start it, or put database.url right")
}

fn release(db: &Db, facts: &DbFacts) -> Finding {
    let found = format!("{} {}", db.engine(), facts.version);
    let digits = facts.version.split(|letter: char| !letter.is_ascii_digit());
    let major = digits
        .into_iter()
        .next()
        .and_then(|major| major.parse().ok());
    if !facts.durable {
        return Finding::warn(
            "database",
            format!("{found} may lose what it has acknowledged"),
        )
        .mend("set fsync and synchronous_commit to on");
    }
    if db.engine() == Engine::Postgres && major.is_some_and(|major: u32| major < OLDEST) {
        return Finding::warn("database", format!("{found} gets no fixes any more"))
            .mend(format!("move to PostgreSQL {OLDEST} or newer"));
    }
    Finding::ok("database", found)
}

fn clock(facts: &DbFacts) -> Finding {
    let now = SystemClock::default().now();
    let apart = now.since(facts.now).max(facts.now.since(now));
    let found = format!("{now}, {} ms from the database", apart.as_millis());
    let mend = "let the clocks of all machines follow one time server (NTP)";
    match apart {
        apart if apart > TOO_MUCH => Finding::fail("clock", found).mend(mend),
        apart if apart > SKEW => Finding::warn("clock", found).mend(mend),
        _ => Finding::ok("clock", found),
    }
}

/// What is to be done to the schema, and whether that is nothing.
async fn behind(settings: &Settings, db: &Db) -> Result<(Finding, bool), Failure> {
    let detached = Assembly::detached(settings)?;
    let modules = detached.built.modules.iter();
    let all: Vec<&Migrations> = std::iter::once(&MIGRATIONS)
        .chain(modules.filter_map(|module| module.migrations()))
        .collect();
    let mut missing = 0;
    for migrations in all {
        let ledger = migrations.ledger;
        match migrations.state(db).await? {
            SchemaState::Current => {}
            SchemaState::Behind(steps) => missing += steps,
            SchemaState::Ahead(step) => {
                let found = format!("{ledger} has step {step} of a newer program");
                let newer = Finding::fail("schema", found);
                return Ok((newer.mend("start that program, or restore a backup"), false));
            }
            SchemaState::Changed(step) => {
                let found = format!("step {step} of {ledger} is not the one of this program");
                let other = Finding::fail("schema", found);
                return Ok((other.mend("start the program that made it"), false));
            }
        }
    }
    let found = format!("{missing} steps behind this program");
    Ok(match missing {
        0 => (Finding::ok("schema", "up to date"), true),
        _ if settings.database.migrate => {
            let late = Finding::warn("schema", found);
            (late.mend("the next start brings it up to date"), false)
        }
        _ => (
            Finding::fail("schema", found).mend("run: cgcg migrate"),
            false,
        ),
    })
}

async fn keys(settings: &Settings, db: &Db, current: bool) -> Vec<Finding> {
    let known = match master_key::known(db).await {
        Ok(known) => known,
        // The table of it is not there yet.
        Err(_) if !current => None,
        Err(failure) => return vec![Finding::fail("master key", failure.to_string())],
    };
    let (finding, keys) = key(settings, known.as_deref());
    #[cfg(feature = "auth")]
    if let Some(keys) = keys.filter(|_| current) {
        let mut findings = vec![finding];
        findings.extend(super::accounts::look(settings, db, keys).await);
        return findings;
    }
    #[cfg(not(feature = "auth"))]
    drop(keys);
    vec![finding]
}

fn key(settings: &Settings, known: Option<&str>) -> (Finding, Option<master_key::MasterKeys>) {
    match master_key::look(settings, known) {
        Ok(None) => {
            let none = Finding::warn("master key", "there is none yet");
            (none.mend("the first start makes it"), None)
        }
        Ok(Some(keys)) if keys.previous.is_some() => {
            let two = Finding::warn("master key", "it is being changed");
            let mend = "once every node has both, run: cgcg keys rotate-master; later take keys.previous away";
            (two.mend(mend), Some(keys))
        }
        Ok(Some(keys)) => {
            let found = match known {
                Some(_) => "the one that the database was made with",
                None => "good; the database knows none yet",
            };
            (Finding::ok("master key", found), Some(keys))
        }
        // Each says the mend.
        Err(failure) => (Finding::fail("master key", failure.to_string()), None),
    }
}
