use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cgcg_core::{Db, on};
use cgcg_tasks::{Service, TaskId, TaskState, TaskStatus};
use tokio::task::JoinSet;

use crate::fault::Log;
use crate::ledger::{self, Execution};
use crate::{Failure, Made, POISON_ATTEMPTS, settings};

/// How much later than it must a rescue may be on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// Statuses that are read at once.
const READERS: usize = 64;

/// The table of what handlers do in the transaction of their end.
pub(crate) async fn prepare(db: &Db) -> sqlx::Result<()> {
    let mut conn = db.begin().await?;
    let sql = "create table effect (task text not null)";
    on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop))?;
    conn.commit().await
}

/// Tasks that have not ended.
pub(crate) async fn open(db: &Db) -> sqlx::Result<i64> {
    let sql = "select count(*) from task where state < 4";
    let mut conn = db.read().await?;
    on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_one(c).await)
}

async fn effects(db: &Db) -> sqlx::Result<BTreeMap<String, i64>> {
    let sql = "select task, count(*) from effect group by task";
    let mut conn = db.read().await?;
    let rows: Vec<(String, i64)> = on!(&mut conn, |c| sqlx::query_as(sql).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

/// Prints what happened, and what is wrong; answers whether the promise held.
pub(crate) async fn tell(
    service: &Service,
    db: &Db,
    folder: &Path,
    made: &Made,
    log: &Log,
    ended: bool,
) -> Result<bool, Failure> {
    let (executions, twice) = ledger::read(folder)?;
    let mut judge = Judge {
        executions,
        effects: effects(db).await?,
        log,
        wrong: Vec::new(),
        again: 0,
        overlaps: 0,
        rescues: Vec::new(),
    };
    // One after the other, a million would take a quarter of an hour.
    for ids in made.tasks.chunks(READERS) {
        for (id, status) in statuses(service, ids).await? {
            judge.task(id, status.as_ref());
        }
    }
    for (id, status) in statuses(service, &made.poison).await? {
        judge.poison(id, status.as_ref());
    }
    let ran = |id: &TaskId| judge.executions.contains_key(&id.to_string());
    if !made.poison.iter().any(ran) {
        judge.wrong.push("no poison ever began".to_owned());
    }
    if twice > 0 {
        judge
            .wrong
            .push(format!("{twice} leases were given out twice"));
    }
    if !ended {
        judge.wrong.push("not all tasks ended in time".to_owned());
    }
    if log.counts.contains_key("did not end") {
        judge.wrong.push("a worker did not end in order".to_owned());
    }
    judge.print(made);
    Ok(judge.wrong.is_empty())
}

async fn statuses(
    service: &Service,
    ids: &[TaskId],
) -> Result<Vec<(TaskId, Option<TaskStatus>)>, Failure> {
    let mut reads = JoinSet::new();
    for id in ids.iter().copied() {
        let service = service.clone();
        reads.spawn(async move { (id, service.get_task_status(id).await) });
    }
    let read = reads.join_all().await.into_iter();
    Ok(read
        .map(|(id, status)| Ok((id, status?)))
        .collect::<Result<_, cgcg_tasks::Error>>()?)
}

struct Judge<'a> {
    executions: BTreeMap<String, Vec<Execution>>,
    effects: BTreeMap<String, i64>,
    log: &'a Log,
    wrong: Vec<String>,
    /// Executions after the first of a task.
    again: usize,
    /// Those that began before an earlier one ended.
    overlaps: usize,
    /// How long after a kill its tasks were taken back, where nothing else was wrong.
    rescues: Vec<Duration>,
}

impl Judge<'_> {
    fn task(&mut self, id: TaskId, status: Option<&TaskStatus>) {
        let Some(status) = status else {
            return self.wrong.push(format!("{id} is lost"));
        };
        if status.state != TaskState::Succeeded {
            return self.wrong.push(format!("{id} is {:?}", status.state));
        }
        let executions = self
            .executions
            .get(&id.to_string())
            .cloned()
            .unwrap_or_default();
        let lease = executions.last().map_or(0, |last| last.lease);
        let result = status
            .result
            .as_deref()
            .unwrap_or_default()
            .trim_matches('"');
        // A later lease than the one that ended it: its end was accepted though another had the task.
        if result != format!("{id}:{lease}") {
            self.wrong
                .push(format!("{id} was ended by {result}, and lease {lease} ran"));
        }
        if status.name == "effect" && self.effects.get(&id.to_string()) != Some(&1) {
            self.wrong.push(format!(
                "{id} has {:?} effects",
                self.effects.get(&id.to_string())
            ));
        }
        self.again += executions.len().saturating_sub(1);
        for pair in executions.windows(2) {
            self.repeat(id, status, &pair[0], &pair[1]);
        }
        self.rescued(status, &executions);
    }

    /// A second execution beside the first needs the end of the first one's lease.
    fn repeat(&mut self, id: TaskId, status: &TaskStatus, first: &Execution, second: &Execution) {
        if first.ended.is_some_and(|ended| ended <= second.began) {
            return;
        }
        self.overlaps += usize::from(first.ended.is_some());
        if expiry(status, first).is_none() && status.errors.len() < 10 {
            self.wrong.push(format!(
                "{id} ran twice at once, and no lease had ended: {first:?} {second:?}"
            ));
        }
    }

    /// How long it took where its worker was killed meanwhile.
    fn rescued(&mut self, status: &TaskStatus, executions: &[Execution]) {
        let bound = bound();
        for execution in executions
            .iter()
            .filter(|execution| execution.ended.is_none())
        {
            let killed = |(pid, at): &&(u32, i64)| *pid == execution.pid && *at >= execution.began;
            let Some((_, at)) = self.log.kills.iter().find(killed).copied() else {
                continue;
            };
            let until = at + i64::try_from(bound.as_micros()).unwrap_or(i64::MAX);
            let disturbed = self
                .log
                .disturbed
                .iter()
                .any(|(from, to)| *from <= until && *to >= at);
            let Some(taken) = expiry(status, execution).filter(|_| !disturbed) else {
                continue;
            };
            let time = Duration::from_micros(u64::try_from(taken - at).unwrap_or_default());
            if time > bound {
                self.wrong
                    .push(format!("{} was taken back after {time:?}", status.id));
            }
            self.rescues.push(time);
        }
    }

    fn poison(&mut self, id: TaskId, status: Option<&TaskStatus>) {
        let ran = self.executions.get(&id.to_string()).map_or(0, Vec::len);
        match status {
            Some(status)
                if status.state == TaskState::Failed
                    && status.attempt == POISON_ATTEMPTS
                    // A kill between claim and beginning takes an attempt that left no trace.
                    && ran <= POISON_ATTEMPTS as usize => {}
            other => {
                let state = other.map(|status| (status.state, status.attempt));
                self.wrong
                    .push(format!("poison {id} ran {ran} times and is {state:?}"));
            }
        }
    }

    fn print(&self, made: &Made) {
        let ran: usize = self.executions.values().map(Vec::len).sum();
        println!("faults: {:?}", self.log.counts);
        println!(
            "tasks: {}, of them poison {}; executions: {ran}; again: {}; beside another: {}",
            made.tasks.len() + made.poison.len(),
            made.poison.len(),
            self.again,
            self.overlaps,
        );
        let longest = self.rescues.iter().max().copied().unwrap_or_default();
        println!(
            "killed: {}; taken back after a kill: {}, the last after {longest:.1?} (at most {:.1?} and what the machine takes)",
            self.log.kills.len(),
            self.rescues.len(),
            bound() - SLACK,
        );
        for wrong in self.wrong.iter().take(20) {
            println!("WRONG: {wrong}");
        }
        match self.wrong.len() {
            0 => println!(
                "verdict: nothing lost, no stale end accepted, each repeat after the end of a lease"
            ),
            count => println!("verdict: {count} violations"),
        }
    }
}

/// When the lease of this execution was taken away; `None` where it was not.
fn expiry(status: &TaskStatus, execution: &Execution) -> Option<i64> {
    let pid = format!(":{}:", execution.pid);
    let of = |worker: &str| worker.contains(&pid);
    let error = status.errors.iter().find(|error| {
        error.attempt == execution.attempt
            && ["lease_expired", "timeout"].contains(&error.code.as_str())
            && error.worker.as_deref().is_some_and(of)
    });
    error.map(|error| error.at.micros())
}

/// A lease, and a third: how soon a dead worker is noticed.
fn bound() -> Duration {
    let lease = settings().lease.get();
    lease + lease / 3 + SLACK
}
