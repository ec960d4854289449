use cgcg_core::Timestamp;
use serde::Serialize;

use crate::console::say;

/// Prints rows under a head, each column as wide as it has to be.
pub(super) fn print<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(widths);
        let padded: Vec<_> = cells
            .map(|(cell, width)| format!("{:width$}", plain(cell)))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    say(line(&head.map(str::to_owned)));
    rows.iter().for_each(|row| say(line(row)));
}

/// Without what a terminal would obey: much of what is shown comes from outside.
pub(super) fn plain(text: &str) -> String {
    let letter = |letter: char| match letter.is_control() {
        true => '\u{fffd}',
        false => letter,
    };
    text.chars().map(letter).collect()
}

/// To the second, which is what people look for.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

pub(super) fn maybe(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// How a value of an enum is written on the wire.
pub(super) fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// JSON of a whole answer.
pub(super) fn json(value: &impl Serialize) -> Result<(), crate::Failure> {
    say(serde_json::to_string_pretty(value)?);
    Ok(())
}
