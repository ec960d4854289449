use std::io::{self, IsTerminal};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;

use crate::Failure;
use crate::settings::{LogFormat, Settings};

/// Sends the log to the standard error, for people or for machines.
pub(crate) fn start(settings: &Settings) -> Result<(), Failure> {
    let mut filter: EnvFilter = settings.log.level.parse()?;
    // The first tells thrice that it starts; the second calls it an error of ours when a client does not speak HTTP; the
    // third says at each start that the ledgers of migrations are there already.
    for quiet in [
        "actix_server=warn",
        "actix_http=off",
        "sqlx::postgres::notice=warn",
    ] {
        let (target, _) = quiet.split_once('=').unwrap_or((quiet, ""));
        if !settings.log.level.contains(target) {
            filter = filter.add_directive(quiet.parse()?);
        }
    }
    let terminal = io::stderr().is_terminal();
    let pretty = match settings.log.format {
        LogFormat::Auto => terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    if pretty {
        log.with_ansi(terminal)
            .with_target(false)
            .compact()
            .try_init()
    } else {
        log.json().flatten_event(true).try_init()
    }
}
