use cgcg_core::{Span, TaskState};
use cgcg_tasks::{Name, QueueName, TaskId};
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Tasks {
    #[command(flatten)]
    Queue(TasksVerb),
    /// Measure how many tasks a second this machine and its database do, in a file or schema of its own beside the real one
    /// (`cgcg_bench_…`; what a kill leaves of it may be removed)
    Bench(Bench),
}

/// What is done with the real queue.
#[derive(Debug, Subcommand)]
pub(crate) enum TasksVerb {
    /// Print tasks, the newest first
    List {
        #[command(flatten)]
        pick: Pick,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Print one task, with its result and its errors
    Show {
        /// The task
        id: TaskId,
        /// With what it was told: data from outside
        #[arg(long)]
        payload: bool,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Make a task
    Create {
        /// Which handler does it
        name: Name,
        /// What it is told, as JSON
        payload: String,
        /// Where it waits
        #[arg(long, default_value = "default")]
        queue: QueueName,
        /// Not before so long from now, as in 10m
        #[arg(long, value_name = "TIME")]
        delay: Option<Span>,
        /// 0 to 999; lower runs first
        #[arg(long)]
        priority: Option<i16>,
        /// While a task with this name and key has not ended, a second one is not made
        #[arg(long, value_name = "KEY")]
        unique_key: Option<String>,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// End tasks that wait, and ask those that run to end
    Cancel(Many),
    /// Run tasks again that failed or were cancelled; those that wait for their time, now
    Retry(Many),
    /// Delete tasks that have ended
    Delete(Many),
    /// Print queues: their limits, and what they have to do
    Queues {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Let nothing of a queue start any more
    Pause {
        /// The queue
        queue: QueueName,
    },
    /// Let a queue go on
    Resume {
        /// The queue
        queue: QueueName,
    },
    /// Limit a queue, for all processes; what is not given has no limit afterwards
    Limit(Limits),
    /// Print schedules, and when each is due
    Schedules {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Act on one schedule
    Schedule {
        /// What to do
        #[arg(value_enum)]
        verb: ScheduleVerb,
        /// The schedule
        name: String,
    },
    /// Print what runs where, and until when without a sign of life
    Leases {
        /// Of this queue
        #[arg(long)]
        queue: Option<QueueName>,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Print the processes of this program that work; who works over HTTP shows in `leases`
    Workers {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Wait for the end of a task, or until a queue has nothing left to do; exits with 1 where the task does not succeed,
    /// with 3 where the time is up first
    Wait {
        /// The task
        #[arg(required_unless_present = "queue", conflicts_with = "queue")]
        id: Option<TaskId>,
        /// The queue
        #[arg(long, requires = "empty")]
        queue: Option<QueueName>,
        /// Until nothing of the queue may be taken or runs
        #[arg(long)]
        empty: bool,
        /// Give up after so long, as in 5m
        #[arg(long, value_name = "TIME")]
        timeout: Option<Span>,
    },
    /// Remove what was kept long enough, now
    Purge,
}

/// How much is measured.
#[derive(Debug, Clone, Args)]
pub(crate) struct Bench {
    /// So many tasks
    #[arg(long, default_value_t = 10_000, value_parser = number(100, 1_000_000))]
    pub(crate) tasks: usize,
    /// So many make them at once
    #[arg(long, default_value_t = 64, value_parser = number(1, 10_000))]
    pub(crate) clients: usize,
    /// So many run at once
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) slots: u16,
    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which tasks.
#[derive(Debug, Clone, Args)]
pub(crate) struct Pick {
    /// In this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<State>,
    /// In this queue
    #[arg(long)]
    pub(crate) queue: Option<QueueName>,
    /// For this handler
    #[arg(long)]
    pub(crate) name: Option<Name>,
    /// Made within so long before now, as in 1d
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Span>,
}

/// These tasks, or all that fit.
#[derive(Debug, Clone, Args)]
pub(crate) struct Many {
    /// The tasks
    #[arg(conflicts_with_all = ["state", "queue", "name", "since", "limit", "dry_run"])]
    pub(crate) ids: Vec<TaskId>,
    #[command(flatten)]
    pub(crate) pick: Pick,
    /// At most so many of those that fit
    #[arg(long)]
    pub(crate) limit: Option<usize>,
    /// Do it to all that fit; without it their number is printed
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print those that fit, and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a queue may do.
#[derive(Debug, Clone, Args)]
pub(crate) struct Limits {
    /// The queue
    pub(crate) queue: QueueName,
    /// So many run at once
    #[arg(long, value_name = "N")]
    pub(crate) max_running: Option<u32>,
    /// So many of one concurrency key run at once
    #[arg(long, value_name = "N")]
    pub(crate) max_per_key: Option<u32>,
    /// So many start in a time, as in 100/1m
    #[arg(long, value_name = "N/TIME", value_parser = rate)]
    pub(crate) rate: Option<cgcg_tasks::Rate>,
    /// So many of one concurrency key start in a time, as in 5/1s
    #[arg(long, value_name = "N/TIME", value_parser = rate)]
    pub(crate) key_rate: Option<cgcg_tasks::Rate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScheduleVerb {
    /// Make a task of it now
    Run,
    /// Make no tasks any more
    Pause,
    /// Go on from now
    Resume,
    /// Remove it; the tasks that it made stay
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// Waits for its time
    Scheduled,
    /// Waits for a worker
    Ready,
    /// A worker has it
    Running,
    /// Done
    Succeeded,
    /// No attempts left
    Failed,
    /// Ended by somebody
    Cancelled,
}

impl From<State> for TaskState {
    fn from(state: State) -> Self {
        match state {
            State::Scheduled => Self::Scheduled,
            State::Ready => Self::Ready,
            State::Running => Self::Running,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
        }
    }
}

fn rate(text: &str) -> Result<cgcg_tasks::Rate, String> {
    let wrong = || "expected a number and a time: 100/1m".to_owned();
    let (n, per) = text.split_once('/').ok_or_else(wrong)?;
    let per: Span = per.parse().map_err(|_| wrong())?;
    Ok(cgcg_tasks::Rate {
        n: n.parse().map_err(|_| wrong())?,
        per: per.get(),
    })
}

/// clap has a range for fixed sizes of numbers only.
fn number(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let number = text.parse().ok();
        let number = number.filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("expected {least} to {most}"))
    }
}
