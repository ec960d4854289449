use std::path::{Path, PathBuf};

use serde::Deserialize;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::SqliteConnectOptions;

use super::Engine;
use crate::{Secret, Span};

/// Which database, and how many connections to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DbSettings {
    /// `sqlite:<file>` or `postgres://user:password@host/database`.
    pub url: Secret<String>,
    /// Connections to PostgreSQL, or readers of SQLite (which has one writer beside them). 1 to 1000.
    pub connections: u32,
    /// How long a request waits for a free connection before it answers 503 `storage_busy`.
    pub wait: Span,
    /// Whether the host brings the schema up to date when it starts.
    pub migrate: bool,
}

impl Default for DbSettings {
    fn default() -> Self {
        Self {
            url: "sqlite:data/cgcg.db".to_owned().into(),
            connections: 10,
            wait: Span::seconds(5),
            migrate: true,
        }
    }
}

impl DbSettings {
    /// The section of a settings file, with every default.
    pub const SAMPLE: &str = "\
# sqlite:<file> or postgres://user:password@host/database.
# url = \"sqlite:<data.dir>/cgcg.db\"
# Connections to PostgreSQL, or readers of SQLite (which has one writer beside them). 1 to 1000.
# connections = 10
# How long a request waits for a free connection before it answers 503 storage_busy. 100ms to 5m.
# wait = \"5s\"
# Whether to bring the schema up to date at start. Without it, run `cgcg migrate` before a new version.
# migrate = true
";

    /// Which database the address names; `None` where it names neither.
    pub fn engine(&self) -> Option<Engine> {
        match self.url.expose().split_once(':')?.0 {
            "sqlite" => Some(Engine::Sqlite),
            "postgres" | "postgresql" => Some(Engine::Postgres),
            _ => None,
        }
    }

    /// The file of SQLite; `None` for PostgreSQL, for an address that is wrong, and in a build without that driver.
    pub fn file(&self) -> Option<PathBuf> {
        #[cfg(feature = "sqlite")]
        if self.engine() == Some(Engine::Sqlite) {
            let options = self.url.expose().parse::<SqliteConnectOptions>().ok()?;
            return Some(options.get_filename().to_owned());
        }
        None
    }

    /// The address of a file of SQLite. sqlx reads it percent-decoded, and options behind a `?`.
    pub fn sqlite_url(file: &Path) -> String {
        let file = file.display().to_string();
        format!("sqlite:{}", file.replace('%', "%25").replace('?', "%3f"))
    }

    /// All that is wrong, as (key, what to do).
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if self.engine().is_none() {
            wrong.push(("url", "expected sqlite:<file> or postgres://…".to_owned()));
        }
        if !(1..=1_000).contains(&self.connections) {
            wrong.push(("connections", "expected 1 to 1000".to_owned()));
        }
        if !(Span::millis(100)..=Span::minutes(5)).contains(&self.wait) {
            wrong.push(("wait", "expected 100ms to 5m".to_owned()));
        }
        wrong
    }
}
