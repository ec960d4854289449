//! Two processes of fifty threads each take one refresh token at the same time, round after round: each round must
//! have one successor, and the lineage must go on from it. Prints one line of JSON; ends with 1 where it does not hold.
//!
//! ```text
//! cargo run --release -p cgcg-auth --example refresh_storm -- sqlite:/tmp/storm.db 1000
//! cargo run --release -p cgcg-auth --example refresh_storm -- postgres://user@localhost/storm 1000
//! ```
//!
//! Of the hundred, fifty are sent at once in each process. The database should be a fresh one.
#![expect(
    clippy::disallowed_methods,
    reason = "a driver reads its arguments and measures real time"
)]

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use cgcg_auth::{AccountCreate, Credentials, Device, Host, Service, Settings};
use cgcg_core::{Db, FeatureKeys, MasterKey, NoPublisher, Secret, SystemClock};
use serde_json::json;

/// Refreshes at once in each process.
const THREADS: usize = 50;
const PROCESSES: usize = 2;
const EMAIL: &str = "storm@example.org";
const PASSWORD: &str = "correct horse battery";

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts[..] {
        ["--process", url] => process(url),
        [url, rounds] => storm(url, rounds.parse()?),
        _ => Err("usage: refresh_storm <database url> <rounds>".into()),
    }
}

/// Starts the processes, gives each the token of the round, and compares what they got.
fn storm(url: &str, rounds: usize) -> Result<(), Failure> {
    let mut token = first_token(url)?;
    let mut others = (0..PROCESSES)
        .map(|_| Other::start(url))
        .collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    let (mut split, mut refused) = (0, 0);
    for _ in 0..rounds {
        for other in &mut others {
            other.send(&token)?;
        }
        let mut successors = BTreeSet::new();
        for other in &mut others {
            let answer = other.answer()?;
            refused += answer.iter().filter(|one| one.is_empty()).count();
            successors.extend(answer.into_iter().filter(|one| !one.is_empty()));
        }
        split += usize::from(successors.len() != 1);
        let Some(next) = successors.into_iter().find(|next| *next != token) else {
            return Err("the lineage has ended".into());
        };
        token = next;
    }
    let seconds = started.elapsed().as_secs_f64();
    others.into_iter().try_for_each(Other::end)?;
    let holds = split == 0 && refused == 0;
    println!(
        "{}",
        json!({
            "figure": "refresh_storm", "holds": holds, "engine": url.split(':').next(), "rounds": rounds,
            "processes": PROCESSES, "threads": THREADS, "refreshes": rounds * PROCESSES * THREADS,
            "rounds_with_more_than_one_successor": split, "refused": refused, "seconds": seconds,
            "refreshes_per_second": (rounds * PROCESSES * THREADS) as f64 / seconds,
        })
    );
    if holds {
        Ok(())
    } else {
        Err("it does not hold".into())
    }
}

/// A line in is a token; a line out is what each refresh of it got, nothing for a refusal.
fn process(url: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let auth = runtime.block_on(open(url))?;
    println!("ready");
    for token in std::io::stdin().lines() {
        let token = Secret::new(token?);
        let answers = runtime.block_on(async {
            let mut tries = tokio::task::JoinSet::new();
            let gate = Arc::new(tokio::sync::Barrier::new(THREADS));
            for _ in 0..THREADS {
                let (auth, token, gate) = (auth.clone(), token.clone(), gate.clone());
                tries.spawn(async move {
                    gate.wait().await;
                    let tokens = auth.refresh(&token, &Device::default()).await;
                    tokens.map_or_else(
                        |error| {
                            let cause = error.source().map(ToString::to_string);
                            eprintln!("{error}: {}", cause.unwrap_or_default());
                            String::new()
                        },
                        |tokens| tokens.refresh_token.expose().clone(),
                    )
                });
            }
            tries.join_all().await
        });
        println!("{}", answers.join(" "));
    }
    Ok(())
}

fn first_token(url: &str) -> Result<String, Failure> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let auth = open(url).await?;
        let new = AccountCreate {
            email: EMAIL.parse()?,
            password: Secret::new(PASSWORD.to_owned()),
            display_name: None,
            username: None,
        };
        // It is there from the run before.
        let _ = auth.register(new, &Device::default()).await;
        let credentials = Credentials {
            login: EMAIL.to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
        };
        let tokens = auth.login(&credentials, &Device::default()).await?;
        Ok(tokens.refresh_token.expose().clone())
    })
}

async fn open(url: &str) -> Result<Service, Failure> {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
        .install_default()
        .ok();
    let db = Db::connect(url).await?;
    for tables in [
        &cgcg_core::MIGRATIONS,
        &cgcg_users::MIGRATIONS,
        &cgcg_auth::MIGRATIONS,
    ] {
        tables.run(&db).await?;
    }
    // Both processes, and the next run, need the same one.
    let key = MasterKey::new(*b"a key for a storm, and no secret")?;
    let keys = FeatureKeys {
        current: key.derive("auth")?,
        previous: None,
    };
    let (clock, publisher) = (Arc::new(SystemClock::default()), Arc::new(NoPublisher));
    let accounts = Arc::new(cgcg_users::Directory::new(clock.clone(), publisher.clone()));
    let settings = Settings::default();
    let auth = Service::new(
        db,
        clock,
        settings,
        keys,
        accounts,
        publisher,
        Host::default(),
    )?;
    auth.open(&[]).await?;
    Ok(auth)
}

/// Another process of the storm.
struct Other {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(url: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--process", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut other = Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        };
        other.answer()?;
        Ok(other)
    }

    fn send(&mut self, token: &str) -> Result<(), Failure> {
        Ok(writeln!(self.input, "{token}")?)
    }

    fn answer(&mut self) -> Result<Vec<String>, Failure> {
        let line = self.output.next().ok_or("a process has ended")??;
        Ok(line.split(' ').map(str::to_owned).collect())
    }

    fn end(mut self) -> Result<(), Failure> {
        drop(self.input);
        self.child.wait()?;
        Ok(())
    }
}
