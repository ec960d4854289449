//! The real program, and a client for it.

mod http;
mod people;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

pub(crate) use http::Answer;
pub(crate) use people::Person;

/// Good enough for every rule about passwords.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A data folder and an environment to start programs with. A cheap clone: several nodes may share one.
#[derive(Clone)]
pub(crate) struct Setup {
    folder: Arc<TempDir>,
    env: Vec<(String, String)>,
}

impl Setup {
    /// SQLite in a folder of its own.
    pub(crate) fn sqlite() -> Self {
        Self {
            folder: Arc::new(cgcg_testkit::folder()),
            env: Vec::new(),
        }
        // A test sends more than a person would.
        .with("CGCG_LIMITS__RATE_LIMIT__PER_SECOND", "0")
    }

    /// An empty PostgreSQL database; `None` where there is no server, which is said.
    #[cfg(feature = "postgres")]
    pub(crate) fn postgres() -> Option<Self> {
        let url = cgcg_testkit::postgres_url();
        if url.is_none() {
            cgcg_testkit::skip("no PostgreSQL");
        }
        Some(Self::sqlite().with("CGCG_DATABASE__URL", &url?))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The same environment with an empty data folder: another machine.
    #[cfg(feature = "postgres")]
    pub(crate) fn elsewhere(&self) -> Self {
        Self {
            folder: Arc::new(cgcg_testkit::folder()),
            env: self.env.clone(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// The program with these arguments, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cgcg"));
        command
            .args(arguments)
            .args(["--data", "data", "--listen", "127.0.0.1:0"])
            .current_dir(self.folder())
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn start(&self) -> Server {
        let log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.folder().join("log"));
        let mut program = self
            .command(&[])
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(program.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .map(str::to_owned);
        let address = address.unwrap_or_else(|| panic!("it does not listen: {line}{}", self.log()));
        Server {
            program,
            address,
            output,
            setup: self.clone(),
        }
    }
}

/// The program, serving on a port of its own. Ends with its value.
pub(crate) struct Server {
    program: Child,
    address: String,
    // Kept open: a program that prints into a closed pipe dies.
    output: BufReader<ChildStdout>,
    setup: Setup,
}

impl Server {
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.setup.folder().join("data")
    }

    /// The next lines that it prints, up to one that holds `text`.
    pub(crate) fn printed(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(
                self.output.read_line(&mut line).unwrap(),
                0,
                "it never printed {text:?}"
            );
        }
        line.trim().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.program.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn ended(mut self) -> ExitStatus {
        self.program.wait().unwrap()
    }

    /// Ends it as a power cut would, and starts it again on the same data.
    pub(crate) fn kill_and_start(self) -> Self {
        let setup = self.setup.clone();
        self.signal("-KILL");
        self.ended();
        setup.start()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Makes the tests `<name>::sqlite` and `<name>::postgres` of each `fn <name>(setup: Setup)`.
#[macro_export]
macro_rules! on_both {
    ($($(#[$doc:meta])* fn $name:ident($setup:ident: Setup) $body:block)+) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            fn body($setup: Setup) $body

            #[test]
            #[cfg(feature = "sqlite")]
            fn sqlite() {
                body(Setup::sqlite());
            }

            #[test]
            #[cfg(feature = "postgres")]
            fn postgres() {
                if let Some(setup) = Setup::postgres() {
                    body(setup);
                }
            }
        }
    )+};
}
