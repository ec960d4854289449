//! What is said to the person at the terminal, beside the log.

use std::error::Error;
use std::io::{self, Write};

/// A line on the standard output. A closed pipe is not a failure: nobody listens any more.
pub(crate) fn say(line: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", line.as_ref());
    let _ = out.flush();
}

/// A line beside what is answered.
#[cfg(feature = "tasks")]
pub(crate) fn note(line: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "cgcg: {}", line.as_ref());
}

/// The end of the program, with its causes. A cause that the line before already told is left out.
pub(crate) fn complain(failure: &(dyn Error + 'static)) {
    let mut told = failure.to_string();
    let mut text = format!("cgcg: {told}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !told.contains(&line) {
            text.push_str(&format!("\n  because: {line}"));
            told = line;
        }
        cause = error.source();
    }
    let _ = writeln!(io::stderr().lock(), "{text}");
}
