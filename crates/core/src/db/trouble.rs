use std::path::PathBuf;

use sqlx::migrate::MigrateError;

use super::Engine;

/// Why a database did not open, and the mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address names no database that we know.
    #[error("a database address begins with sqlite: or postgres:")]
    Scheme,
    /// The address is right, this build is not.
    #[error("this build has no {0} driver; build it with the Cargo feature `sqlite` or `postgres`")]
    NotCompiled(Engine),
    /// Readers and writer would each see a database of their own.
    #[error("SQLite in memory is not supported; name a file: sqlite:data/cgcg.db")]
    InMemory,
    /// Linked against an SQLite that can corrupt files.
    #[error("SQLite {0} is too old; 3.51.3 is the oldest that is safe here")]
    OldSqlite(String),
    /// SQLite cannot open or make the file.
    #[error("cannot open or create {}: its folder must be there and be writable", .0.display())]
    File(PathBuf),
    /// The database did not answer, or refused.
    #[error("the database does not open: {0}")]
    Database(#[from] sqlx::Error),
}

#[cfg(feature = "sqlite")]
impl OpenError {
    /// SQLite's own text for its code 14 ("unable to open database file") does not say which.
    pub(super) fn of_file(error: sqlx::Error, file: PathBuf) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        if code.as_deref() == Some("14") {
            Self::File(file)
        } else {
            error.into()
        }
    }
}

/// What a failure of the database means for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Too much at once, or just restarting: nothing was written, trying again helps.
    Busy,
    /// No space left: an operator must help.
    Full,
    /// The connection broke: what was under way is undone, unless it was the commit that went unanswered, or a statement
    /// that is its own.
    Gone,
    /// Ours.
    Other,
}

impl Trouble {
    /// As [`Trouble::of`], for what ended a migration.
    pub fn of_migration(error: &MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::of(error)
            }
            _ => Self::Other,
        }
    }

    /// Sorts an error. Sources: SQLite result codes; PostgreSQL, appendix A.
    pub fn of(error: &sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy;
        }
        if matches!(error, sqlx::Error::Io(_)) {
            return Self::Gone;
        }
        let Some(code) = error.as_database_error().and_then(|error| error.code()) else {
            return Self::Other;
        };
        match code.as_ref() {
            // The low byte of an SQLite code is its primary code: 5 busy, 6 locked, 13 full.
            "5" | "6" | "261" | "262" | "517" | "773" => Self::Busy,
            "13" | "53100" => Self::Full,
            // Serialisation, deadlock, lock not available, too many connections, shutting down, starting up.
            "40001" | "40P01" | "55P03" | "53300" | "57P01" | "57P02" | "57P03" => Self::Busy,
            _ => Self::Other,
        }
    }
}
