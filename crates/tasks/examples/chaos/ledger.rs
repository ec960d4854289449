use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use cgcg_core::{Clock, SystemClock};

use crate::Failure;

/// What one worker process notes: one line when an execution begins, one when its handler ends. A line is written at
/// once, so a killed process leaves it.
pub(crate) struct Ledger(File);

impl Ledger {
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join(format!("ledger-{}", std::process::id()));
        Ok(Self(
            OpenOptions::new().create(true).append(true).open(file)?,
        ))
    }

    pub(crate) fn begin(&self, token: &str, attempt: u32) {
        self.note("begin", token, attempt);
    }

    pub(crate) fn end(&self, token: &str, attempt: u32) {
        self.note("end", token, attempt);
    }

    fn note(&self, what: &str, token: &str, attempt: u32) {
        let at = SystemClock::default().now().micros();
        let line = format!("{what} {token} {attempt} {at}\n");
        (&self.0)
            .write_all(line.as_bytes())
            .expect("room for a line");
    }
}

/// One execution, as its worker saw it. Times are real, in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) lease: i64,
    pub(crate) attempt: u32,
    pub(crate) pid: u32,
    pub(crate) began: i64,
    pub(crate) ended: Option<i64>,
}

/// All executions by task, oldest lease first; and tokens that two executions had.
pub(crate) fn read(folder: &Path) -> Result<(BTreeMap<String, Vec<Execution>>, usize), Failure> {
    let (mut tasks, mut twice) = (BTreeMap::<String, Vec<Execution>>::new(), 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(pid) = name
            .strip_prefix("ledger-")
            .and_then(|pid| pid.parse().ok())
        else {
            continue;
        };
        for line in fs::read_to_string(&path)?.lines() {
            let [what, token, attempt, at] = line.split(' ').collect::<Vec<_>>()[..] else {
                return Err(format!("no line of a ledger: {line}").into());
            };
            let (task, lease) = token.split_once(':').ok_or("no token")?;
            let (lease, at) = (lease.parse()?, at.parse()?);
            let executions = tasks.entry(task.to_owned()).or_default();
            let known = executions.iter_mut().find(|known| known.lease == lease);
            match (what, known) {
                ("begin", None) => executions.push(Execution {
                    lease,
                    attempt: attempt.parse()?,
                    pid,
                    began: at,
                    ended: None,
                }),
                ("begin", Some(_)) => twice += 1,
                (_, Some(known)) => known.ended = Some(at),
                (_, None) => return Err(format!("an end without a beginning: {line}").into()),
            }
        }
    }
    for executions in tasks.values_mut() {
        executions.sort_unstable_by_key(|execution| execution.lease);
    }
    Ok((tasks, twice))
}
