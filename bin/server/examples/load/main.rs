//! The load driver: measures one server, or several in turn, over HTTP, and prints one line of JSON per figure.
//!
//! ```text
//! cargo run --release -p cgcg-server --example load -- --seed --users 1000 --admin ada@example.org:pass-phrase
//! cargo run --release -p cgcg-server --example load -- --work health,me \
//!     --target cgcg=http://127.0.0.1:8000 --target fastapi=http://127.0.0.1:9000,health=/health
//! ```
//!
//! Measure a server whose limits are off (`limits.rate_limit.per_second = 0`, `auth.throttle.addresses = false`):
//! answers that are not 2xx are counted apart and are no part of a figure. The driver is light (hand-written HTTP/1.1 over kept connections), but on a small machine it still takes
//! its share of the cores from the server.
#![expect(
    clippy::disallowed_methods,
    reason = "a load driver measures real time"
)]

mod client;
mod drive;
mod figure;
mod options;
mod source;
mod target;
mod work;

use std::process::ExitCode;

use cgcg_core::BoxError;
use clap::Parser;

use options::{Options, Work};
use target::Target;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), BoxError> {
    let mut targets = Vec::new();
    for spec in options.targets() {
        let mut target = Target::new(options, &spec)?;
        if options.seed {
            target.seed(options)?;
        }
        if options.work.iter().any(Work::needs_tokens) {
            target.log_in(options)?;
        }
        targets.push(target);
    }
    for work in &options.work {
        for line in work::measure(*work, &targets, options)? {
            println!("{line}");
        }
    }
    Ok(())
}
