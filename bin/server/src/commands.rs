//! One file per command.

mod admin;
mod config;
mod doctor;
mod keys;
mod migrate;
mod print;
mod serve;
#[cfg(feature = "tasks")]
mod tasks;
#[cfg(feature = "auth")]
mod users;

use crate::cli::{Cli, Command, Role};
use crate::settings::Loaded;
use crate::{Failure, console};

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let command = cli.command.unwrap_or(Command::Serve { role: Role::All });
    if let Command::Config(what) = command {
        return config::run(&what, &cli.common);
    }
    if let Command::Doctor { json } = command {
        return doctor::run(&cli.common, json).await;
    }
    let Loaded {
        settings, warnings, ..
    } = Loaded::new(&cli.common)?;
    let settings = match command {
        Command::Serve { role } => return serve::run(settings, warnings, role).await,
        Command::Worker => return serve::run(settings, warnings, Role::Worker).await,
        Command::Admin(what) => return admin::run(what, &settings).await,
        #[cfg(feature = "auth")]
        Command::Users(what) => return users::run(what, &settings).await,
        #[cfg(feature = "tasks")]
        Command::Tasks(what) => return tasks::run(what, &settings).await,
        Command::Keys(what) => return keys::run(what, &settings).await,
        Command::Migrate => return migrate::run(settings).await,
        Command::Openapi | Command::Routes | Command::Config(_) | Command::Doctor { .. } => {
            settings
        }
    };
    let document = print::document(&settings)?;
    match command {
        Command::Routes => print::routes(&document)?,
        _ => console::say(document),
    }
    Ok(())
}
