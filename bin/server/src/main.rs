//! The CGCG server.

mod assembly;
mod cli;
mod commands;
mod console;
mod doctor;
mod features;
mod greeting;
mod http;
mod listener;
mod log;
mod master_key;
#[cfg(feature = "metrics")]
mod metrics;
mod modules;
mod own;
#[cfg(feature = "tasks")]
mod own_tasks;
mod settings;
mod supervisor;

use std::process::ExitCode;

use clap::Parser;

/// Any failure that ends the program. Its text says what to do.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What was waited for has not come in time: exit status 3, because scripts may wait on.
#[cfg(feature = "tasks")]
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotInTime(String);

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match actix_web::rt::System::new().block_on(commands::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::complain(&*failure);
            status(&failure)
        }
    }
}

#[cfg(feature = "tasks")]
fn status(failure: &Failure) -> ExitCode {
    match failure.is::<NotInTime>() {
        true => ExitCode::from(3),
        false => ExitCode::FAILURE,
    }
}

#[cfg(not(feature = "tasks"))]
fn status(_: &Failure) -> ExitCode {
    ExitCode::FAILURE
}
