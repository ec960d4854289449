use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{Answer, TestApp};

/// A program that serves on a port of its own. Ends with its value.
#[derive(Debug)]
pub struct Running {
    process: Child,
    address: String,
    // Kept open: a program that prints into a closed pipe dies.
    output: BufReader<ChildStdout>,
    app: TestApp,
}

impl Running {
    pub(super) fn start(app: &TestApp) -> Self {
        let log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(app.folder().join("log"))
            .expect("a log file");
        let mut process = app
            .command(&[])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line of text");
        let address = line.trim().strip_prefix("listening on http://");
        let Some(address) = address.map(str::to_owned) else {
            panic!("it does not listen: {line}{}", app.log());
        };
        Self {
            process,
            address,
            output,
            app: app.clone(),
        }
    }

    /// Where it listens: `127.0.0.1:4711`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The folder of its database and key.
    pub fn data(&self) -> PathBuf {
        self.app.folder().join("data")
    }

    /// The most memory that it has had at once, in bytes.
    ///
    /// # Panics
    /// Where the program is gone.
    pub fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("a running program");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number of kB")
            * 1024
    }

    /// The next line that it prints with `text` in it.
    ///
    /// # Panics
    /// Where it ends before.
    pub fn printed(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let read = self.output.read_line(&mut line).expect("a line of text");
            assert_ne!(read, 0, "it never printed {text:?}");
        }
        line.trim().to_owned()
    }

    /// Sends a signal: `-TERM`.
    ///
    /// # Panics
    /// Where the program is gone.
    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status();
        assert!(sent.expect("kill").success(), "it is gone");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where that cannot be waited for.
    pub fn ended(mut self) -> ExitStatus {
        self.process.wait().expect("it was started")
    }

    /// Ends it with `kill -9`, and starts it again on the same data.
    #[must_use]
    pub fn kill_and_start(self) -> Self {
        let app = self.app.clone();
        self.signal("-KILL");
        self.ended();
        app.start()
    }

    /// `GET`, with no header but the needed ones.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// Any request, on a connection of its own.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let body = body.as_ref();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: cgcg\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        self.exchange(&[head.as_bytes(), body].concat())
    }

    /// Sends bytes as they are and reads until the server closes.
    ///
    /// # Panics
    /// Without an answer.
    pub fn exchange(&self, bytes: &[u8]) -> Answer {
        self.try_exchange(bytes).expect("an answer")
    }

    /// As [`Running::exchange`], for a server that may die meanwhile.
    ///
    /// # Panics
    /// Where the server keeps the connection open for a minute, longer than it waits for anything in a test.
    pub fn try_exchange(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address()).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .ok()?;
        // A server that refuses early closes while we still write: its answer counts.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let waited = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!waited, "the server keeps the connection open");
        Answer::parse(&String::from_utf8_lossy(&answer))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
