use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Db, DbSettings, OpenError, on_here};
use crate::{Clock, Id, SystemClock};

/// An empty database on the disk of a real one, to measure or to try something: a file beside SQLite's, or a schema of
/// PostgreSQL. It stays until [`Scratch::remove`].
#[derive(Debug)]
pub struct Scratch {
    settings: DbSettings,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    /// By this connection to the real one.
    Schema(String, Db),
}

impl Scratch {
    /// Makes one called `name` with a number behind it that no other has. `name` is of letters that need no quotes.
    ///
    /// # Errors
    /// [`OpenError`], also where a role may make no schemas.
    pub async fn make(real: &DbSettings, name: &str) -> Result<Self, OpenError> {
        let number = Id::<Self>::new(SystemClock::default().now());
        let name = format!("{name}_{}", number.uuid().simple());
        let (url, place) = match real.file() {
            Some(file) => {
                let file = file.with_file_name(format!("{name}.db"));
                (DbSettings::sqlite_url(&file), Place::File(file))
            }
            None => {
                let db = Db::open(real).await?;
                execute(&db, format!("create schema {name}")).await?;
                let url = real.url.expose();
                let mark = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{mark}options[search_path]={name}");
                (url, Place::Schema(name, db))
            }
        };
        let settings = DbSettings {
            url: url.into(),
            ..real.clone()
        };
        Ok(Self { settings, place })
    }

    /// How it is opened.
    pub fn settings(&self) -> &DbSettings {
        &self.settings
    }

    /// Removes it, with all that is in it; whoever opened it has closed it.
    ///
    /// # Errors
    /// Of the database; `Io` of the file.
    pub async fn remove(self) -> sqlx::Result<()> {
        match self.place {
            Place::Schema(name, db) => {
                execute(&db, format!("drop schema {name} cascade")).await?;
                db.close().await;
            }
            Place::File(file) => remove(&file)?,
        }
        Ok(())
    }
}

/// A database of SQLite, with what stands beside it.
fn remove(file: &Path) -> io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut path = file.as_os_str().to_owned();
        path.push(end);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn execute(db: &Db, sql: String) -> sqlx::Result<()> {
    let (mut conn, sql) = (db.begin().await?, sqlx::AssertSqlSafe(sql));
    on_here!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop))?;
    conn.commit().await
}
