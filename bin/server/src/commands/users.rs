mod lines;
mod progress;

use std::path::Path;

use cgcg_auth::{ImportUser, Imported, Service};
use cgcg_core::Principal;
use lines::{Line, Lines};
use progress::Progress;

use crate::Failure;
use crate::assembly::Assembly;
use crate::cli::Users;
use crate::console::say;
use crate::settings::Settings;

/// Accounts in one transaction: a running server waits for it.
const BATCH: usize = 200;

pub(crate) async fn run(what: Users, settings: &Settings) -> Result<(), Failure> {
    match what {
        Users::Import { file, dry_run } => {
            let lines = Lines::open(&file)?;
            let assembly = Assembly::open(settings).await?;
            let import = Import {
                auth: &assembly.built.auth,
                dry_run,
                sum: Sum::default(),
            };
            import.run(&file, lines).await
        }
    }
}

struct Import<'a> {
    auth: &'a Service,
    dry_run: bool,
    sum: Sum,
}

#[derive(Default)]
struct Sum {
    made: u64,
    present: u64,
    refused: u64,
}

impl Import<'_> {
    async fn run(mut self, file: &Path, mut lines: Lines) -> Result<(), Failure> {
        let mut progress = Progress::new(file);
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(line) = lines.next() {
            match line? {
                Line::User(number, user) => batch.push((number, user)),
                Line::Broken(number, why) => self.refuse(&progress, number, why),
            }
            if batch.len() == BATCH {
                self.take(&progress, std::mem::take(&mut batch)).await?;
                progress.show(lines.position(), self.sum.all());
            }
        }
        self.take(&progress, batch).await?;
        progress.clear();
        self.report()
    }

    async fn take(
        &mut self,
        progress: &Progress,
        batch: Vec<(u64, ImportUser)>,
    ) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let (numbers, users): (Vec<u64>, Vec<ImportUser>) = batch.into_iter().unzip();
        let operator = Principal::operator();
        let outcomes = match self.dry_run {
            true => self.auth.try_import(&operator, &users).await?,
            false => self.auth.import(&operator, &users).await?,
        };
        for (number, outcome) in numbers.into_iter().zip(outcomes) {
            match outcome {
                Imported::Made(_) => self.sum.made += 1,
                Imported::Present => self.sum.present += 1,
                Imported::Refused { field, invalid } => {
                    let why = format!("{field}: {}: {}", invalid.code, invalid.detail);
                    self.refuse(progress, number, why);
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, progress: &Progress, number: u64, why: String) {
        self.sum.refused += 1;
        progress.clear();
        say(format!("line {number}: {why}"));
    }

    fn report(&self) -> Result<(), Failure> {
        let Sum {
            made,
            present,
            refused,
        } = self.sum;
        let made_or_not = if self.dry_run {
            "would be made"
        } else {
            "made"
        };
        say(format!(
            "{made} accounts {made_or_not}, {present} were there, {refused} lines refused"
        ));
        match refused {
            0 => Ok(()),
            _ => Err("some lines were refused; mend them and import the file again".into()),
        }
    }
}

impl Sum {
    const fn all(&self) -> u64 {
        self.made + self.present + self.refused
    }
}
