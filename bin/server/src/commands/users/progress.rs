use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Letters of the bar.
const WIDTH: u64 = 30;

/// How far an import is, on a terminal only.
pub(super) struct Progress {
    bytes: u64,
    shown: bool,
}

impl Progress {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            bytes: fs::metadata(file).map_or(0, |file| file.len()).max(1),
            shown: io::stderr().is_terminal(),
        }
    }

    /// `position`: bytes that were read.
    pub(super) fn show(&mut self, position: u64, lines: u64) {
        if !self.shown {
            return;
        }
        let done = position.min(self.bytes);
        let full = "#".repeat((done * WIDTH / self.bytes) as usize);
        let percent = done * 100 / self.bytes;
        let _ = write!(
            io::stderr().lock(),
            "\r[{full:<30}] {percent:>3} %  {lines} lines"
        );
    }

    /// Makes room for a line of text.
    pub(super) fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r{:70}\r", "");
        }
    }
}
