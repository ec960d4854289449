use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A PostgreSQL of its own on a free loopback port, in a temporary folder. Ends and is removed with this value, and
/// with the test program, however that ends.
///
/// All methods block.
#[derive(Debug)]
pub struct PostgresServer {
    watcher: Child,
    answers: BufReader<ChildStdout>,
    port: u16,
}

/// Reads orders; each is answered by its exit status. When the pipe closes, its other end has died.
const WATCHER: &str = include_str!("watcher.sh");

/// What makes a server fast that nobody misses after a crash of the machine.
const FAST: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";

impl PostgresServer {
    /// Starts one that keeps what it committed, also when it is killed. `None` where no binaries are installed.
    ///
    /// # Panics
    /// Where it does not start, with the end of its log.
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// As [`PostgresServer::start`], without fsync.
    pub(crate) fn start_fast() -> Option<Self> {
        Self::start_with(FAST)
    }

    fn start_with(options: &str) -> Option<Self> {
        let binaries = binaries()?;
        // Between our look at the port and the server's start somebody else may take it.
        (0..3)
            .find_map(|_| Self::launch(&binaries, options))
            .or_else(|| panic!("PostgreSQL does not start"))
    }

    fn launch(binaries: &Path, options: &str) -> Option<Self> {
        // The watcher removes it.
        let folder = tempfile::Builder::new().prefix("cgcg-postgres-").tempdir();
        let folder = folder
            .expect("a writable folder for temporary files")
            .keep();
        let port = free_port();
        let mut watcher = shell_that_may_run_postgres(&folder)
            .args(["-c", WATCHER, "watcher"])
            .args([binaries, &folder])
            .args([&port.to_string(), options])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for the test program. The watcher has to outlive it for a moment.
            .process_group(0)
            .spawn()
            .expect("a shell");
        let answers = BufReader::new(watcher.stdout.take().expect("it is piped"));
        let mut server = Self {
            watcher,
            answers,
            port,
        };
        match server.order("start") {
            true => Some(server),
            false => {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                println!("PostgreSQL did not start on port {port}:\n{log}");
                None
            }
        }
    }

    /// The address of one of its databases; `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends it in order: open transactions are rolled back, clients are disconnected.
    pub fn stop(&mut self) {
        assert!(self.order("stop"), "PostgreSQL does not stop");
    }

    /// Ends it without a checkpoint, as a crash would: the next start has to recover.
    pub fn kill(&mut self) {
        assert!(self.order("kill"), "PostgreSQL does not end");
    }

    /// Starts it again on the same port, after [`PostgresServer::stop`] or [`PostgresServer::kill`].
    pub fn restart(&mut self) {
        assert!(self.order("start"), "PostgreSQL does not start again");
    }

    fn order(&mut self, order: &str) -> bool {
        let pipe = self.watcher.stdin.as_mut().expect("it is piped");
        writeln!(pipe, "{order}").expect("a living watcher");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("a living watcher");
        answer.trim() == "0"
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        self.watcher.wait().ok();
    }
}

/// PostgreSQL refuses to run as root. There, the system's user `postgres` runs it.
fn shell_that_may_run_postgres(folder: &Path) -> Command {
    let owner = fs::metadata(folder).expect("the folder is ours").uid();
    if owner != 0 {
        return Command::new("sh");
    }
    let (user, group) = postgres_user().expect("as root, tests need a system user called postgres");
    chown(folder, Some(user), Some(group)).expect("root may");
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .args(["--clear-groups", "sh"]);
    command
}

fn postgres_user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users
        .lines()
        .find_map(|line| line.strip_prefix("postgres:"))?;
    let mut numbers = line
        .split(':')
        .skip(1)
        .map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// The folder of `initdb` and `pg_ctl`: of the `PATH`, else the newest of Debian's.
fn binaries() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let complete = |folder: &PathBuf| {
        ["initdb", "pg_ctl"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let version = |folder: &PathBuf| {
        folder
            .parent()
            .and_then(|up| up.file_name()?.to_str()?.parse::<u32>().ok())
    };
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = debian
        .map(|entry| entry.path().join("bin"))
        .filter(complete)
        .max_by_key(version);
    std::env::split_paths(&path).find(complete).or(newest)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
    listener.local_addr().expect("it is bound").port()
}
