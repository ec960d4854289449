//! The model: what each step makes of two tasks, and every state that can be reached.

use std::collections::HashSet;

use cgcg_core::Engine;

use super::super::seconds;
use crate::store::lease::Next;

/// Steps to a state, at most.
const DEPTH: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub(super) state: i16,
    pub(super) attempt: i32,
    pub(super) max_attempts: i32,
    pub(super) lease: i64,
    /// Index of the worker that runs it.
    pub(super) holder: Option<usize>,
    /// Running: the lease is over. Scheduled: its time has come.
    pub(super) due: bool,
    pub(super) cancel: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Claim(usize),
    Beat(usize),
    Complete(usize),
    Settle(usize, Next),
    Cancel(usize),
    Retry(usize),
    Later,
    Rescue,
    Promote,
    Sweep,
}

impl Task {
    fn end(&mut self, state: i16) {
        self.state = state;
        self.holder = None;
        self.due = false;
    }

    fn settle(&mut self, next: Next) {
        let state = match next {
            Next::Retry(_) | Next::Snooze(_) => 1,
            Next::Release => 2,
            Next::Fail => 5,
            Next::Cancel => 6,
        };
        if matches!(next, Next::Snooze(_) | Next::Release) {
            self.attempt -= 1;
        }
        self.end(if self.cancel { 6 } else { state });
    }

    fn rescue(&mut self) {
        let state = match self.cancel {
            true => 6,
            false if self.attempt >= self.max_attempts => 5,
            false => 1,
        };
        self.end(state);
    }
}

/// The model after `step`; `None` where that cannot be done.
fn expected(before: &[Task; 2], step: Step) -> Option<[Task; 2]> {
    let mut tasks = before.clone();
    let running = |task: &Task| task.state == 3;
    match step {
        Step::Claim(worker) => {
            let task = tasks.iter_mut().find(|task| task.state == 2)?;
            task.end(3);
            task.attempt += 1;
            task.lease += 1;
            task.holder = Some(worker);
        }
        Step::Beat(task) if running(&tasks[task]) => tasks[task].due = false,
        Step::Complete(task) if running(&tasks[task]) => tasks[task].end(4),
        Step::Settle(task, Next::Retry(_)) if tasks[task].attempt >= tasks[task].max_attempts => {
            return None;
        }
        Step::Settle(task, next) if running(&tasks[task]) => tasks[task].settle(next),
        Step::Cancel(task) if tasks[task].state < 4 => {
            tasks[task].cancel = true;
            if !running(&tasks[task]) {
                tasks[task].end(6);
            }
        }
        Step::Retry(task) if [1, 5, 6].contains(&tasks[task].state) => {
            let task = &mut tasks[task];
            if task.state != 1 {
                task.attempt = 0;
            }
            task.end(2);
            task.cancel = false;
        }
        Step::Later => tasks
            .iter_mut()
            .filter(|task| [1, 3].contains(&task.state))
            .for_each(|task| task.due = true),
        Step::Rescue => tasks
            .iter_mut()
            .filter(|task| running(task) && task.due)
            .for_each(Task::rescue),
        Step::Promote => tasks
            .iter_mut()
            .filter(|task| task.state == 1 && task.due)
            .for_each(|task| task.end(2)),
        Step::Sweep => {}
        _ => return None,
    }
    Some(tasks)
}

pub(super) fn steps(engine: Engine) -> Vec<Step> {
    let settled = [
        Next::Retry(seconds(10)),
        Next::Snooze(seconds(10)),
        Next::Release,
        Next::Fail,
        Next::Cancel,
    ];
    let mut steps = vec![
        Step::Claim(0),
        Step::Claim(1),
        Step::Later,
        Step::Rescue,
        Step::Promote,
    ];
    for task in 0..2 {
        steps.extend([
            Step::Beat(task),
            Step::Complete(task),
            Step::Cancel(task),
            Step::Retry(task),
        ]);
        steps.extend(settled.map(|next| Step::Settle(task, next)));
    }
    // SQLite has one table.
    if engine == Engine::Postgres {
        steps.push(Step::Sweep);
    }
    steps
}

/// What the model knows: the tasks, and whether PostgreSQL's hot table was swept since one failed or was cancelled.
pub(super) type Known = ([Task; 2], bool);

pub(super) fn after(before: &Known, step: Step) -> Option<Known> {
    let tasks = expected(&before.0, step)?;
    let stays = match step {
        Step::Sweep => false,
        Step::Cancel(_) | Step::Settle(..) | Step::Rescue => true,
        _ => !before.1,
    };
    // Where nothing has ended, there is nothing to sweep.
    let swept = !(stays && tasks.iter().any(|task| task.state > 4));
    (step != Step::Sweep || !before.1).then_some((tasks, swept))
}

/// Each state, with a shortest way to it. The last have no steps of their own.
pub(super) fn states(start: &Known, engine: Engine) -> Vec<(Known, Vec<Step>)> {
    let mut states = vec![(start.clone(), Vec::new())];
    let mut seen = HashSet::from([start.clone()]);
    let mut next = 0;
    while let Some((known, way)) = states.get(next).cloned() {
        next += 1;
        if way.len() == DEPTH {
            break;
        }
        for step in steps(engine) {
            if let Some(there) = after(&known, step)
                && seen.insert(there.clone())
            {
                let way = way.iter().copied().chain([step]).collect();
                states.push((there, way));
            }
        }
    }
    states
}
