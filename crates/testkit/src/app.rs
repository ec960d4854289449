//! The real program, started as a user would start it.

mod answer;
mod running;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

pub use answer::Answer;
pub use running::Running;

/// A program under test: a folder of its own to run in, and an environment to start it with. A cheap clone: several
/// processes may share one.
#[derive(Debug, Clone)]
pub struct TestApp {
    program: PathBuf,
    folder: Arc<TempDir>,
    env: Vec<(String, String)>,
}

impl TestApp {
    /// `program` in an empty folder: `TestApp::new(env!("CARGO_BIN_EXE_cgcg"))`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let folder = Arc::new(crate::folder());
        Self {
            program: program.into(),
            folder,
            env: Vec::new(),
        }
    }

    /// With one more variable in its environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The same program and environment in another empty folder: another machine.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        Self {
            folder: Arc::new(crate::folder()),
            ..self.clone()
        }
    }

    /// Where it runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// The program with these arguments, its data in `data`, listening on any free port; not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .args(["--data", "data", "--listen", "127.0.0.1:0"])
            .current_dir(self.folder())
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// Where there is no such program.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).stdin(Stdio::null()).output();
        output.expect("the program")
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Panics
    /// Where it does not listen, with its log.
    pub fn start(&self) -> Running {
        Running::start(self)
    }
}
