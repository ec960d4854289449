use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use cgcg_auth::ImportUser;
use serde_json::{Map, Value};

use crate::Failure;

/// No account is longer.
const LONGEST: u64 = 64 * 1_024;

/// A line of a file of accounts.
pub(super) enum Line {
    User(u64, ImportUser),
    /// Why it is none. It repeats nothing of the line: there are hashes in it.
    Broken(u64, String),
}

/// The accounts of a file, one after the other.
pub(super) enum Lines {
    Csv(csv::StringRecordsIntoIter<BufReader<File>>, Vec<String>),
    Json {
        file: BufReader<File>,
        number: u64,
        position: u64,
    },
}

impl Lines {
    /// CSV where the name ends so, else JSON lines.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = BufReader::new(file);
        let is_csv = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        if !is_csv {
            return Ok(Self::Json {
                file,
                number: 0,
                position: 0,
            });
        }
        let mut reader = csv::Reader::from_reader(file);
        let header = reader
            .headers()
            .map_err(|_| "the first line is no CSV of UTF-8")?;
        let header: Vec<String> = header.iter().map(str::to_owned).collect();
        let known = |name: &String| ImportUser::FIELDS.contains(&name.as_str());
        if let Some(column) = header.iter().position(|name| !known(name)) {
            let fields = ImportUser::FIELDS.join(", ");
            return Err(format!(
                "column {} of the first line is none of {fields}",
                column + 1
            )
            .into());
        }
        Ok(Self::Csv(reader.into_records(), header))
    }

    /// The next account; empty lines are skipped. `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<Line, Failure>> {
        match self {
            Self::Csv(records, header) => Some(from_csv(records.next()?, header)),
            Self::Json {
                file,
                number,
                position,
            } => loop {
                let mut bytes = Vec::new();
                let read = file.by_ref().take(LONGEST).read_until(b'\n', &mut bytes);
                let read = match read {
                    Ok(0) => return None,
                    Ok(read) => read as u64,
                    Err(error) => return Some(Err(error.into())),
                };
                *number += 1;
                *position += read;
                if read == LONGEST {
                    return Some(Err(
                        format!("line {number} is too long for an account").into()
                    ));
                }
                if !bytes.trim_ascii().is_empty() {
                    return Some(Ok(from_json(*number, &bytes)));
                }
            },
        }
    }

    /// Bytes that were read.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Csv(records, _) => records.reader().position().byte(),
            Self::Json { position, .. } => *position,
        }
    }
}

fn from_json(number: u64, bytes: &[u8]) -> Line {
    // serde takes a list of values in the order of the fields as well.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Line::Broken(number, "expected a JSON object".to_owned());
    }
    match serde_json::from_slice(bytes) {
        Ok(user) => Line::User(number, user),
        Err(error) if error.is_data() => {
            let fields = ImportUser::FIELDS.join(", ");
            let column = error.column();
            Line::Broken(
                number,
                format!(
                    "column {column}: a wrong type, or another field than {fields}, or no email"
                ),
            )
        }
        Err(error) => Line::Broken(
            number,
            format!("column {}: this is no JSON", error.column()),
        ),
    }
}

fn from_csv(
    record: Result<csv::StringRecord, csv::Error>,
    header: &[String],
) -> Result<Line, Failure> {
    let record = match record {
        Ok(record) => record,
        Err(error) if error.is_io_error() => return Err(error.into()),
        Err(error) => {
            let number = error.position().map_or(0, csv::Position::line);
            let why = "this is no UTF-8, or has more or fewer columns than the first line";
            return Ok(Line::Broken(number, why.to_owned()));
        }
    };
    let number = record.position().map_or(0, csv::Position::line);
    let mut fields = Map::new();
    for (name, text) in header
        .iter()
        .zip(&record)
        .filter(|(_, text)| !text.is_empty())
    {
        let value = match (name.as_str(), text) {
            ("email_verified" | "must_change", "true" | "True" | "1" | "t") => Value::Bool(true),
            ("email_verified" | "must_change", "false" | "False" | "0" | "f") => Value::Bool(false),
            ("email_verified" | "must_change", _) => {
                return Ok(Line::Broken(
                    number,
                    format!("{name}: expected true or false"),
                ));
            }
            ("roles", names) => names.split_whitespace().collect(),
            (_, text) => text.into(),
        };
        fields.insert(name.clone(), value);
    }
    Ok(match serde_json::from_value(fields.into()) {
        Ok(user) => Line::User(number, user),
        Err(_) => Line::Broken(number, "email: expected an address".to_owned()),
    })
}
