mod change;
mod check;
pub(crate) mod create;
mod gauges;
mod health;
mod hear;
pub(crate) mod lease;
mod look;
mod once;
mod park;
mod queue;
mod queues;
mod read;
mod schedules;
pub(crate) mod tend;
mod watch;

use std::fmt;
use std::sync::Arc;

pub use once::{Answered, IdempotencyKey};

use cgcg_core::{Clock, Conn, Db, Joined, Publisher};
use tokio::sync::Mutex;

use crate::batch::{Beats, Claim, Complete, Create, Settle, Shared};
use crate::floors::Floors;
use crate::gate::Places;
use crate::message::Announcer;
use crate::wake::{Bells, Ends, Labels, Notes};
use crate::{Error, Settings};
use health::Turns;

/// Stores tasks, tells how they stand, changes them. A cheap clone; one per process.
///
/// What many callers want written at the same time is written together, with one commit for all. Inside of an open
/// transaction of SQLite call only what takes the [`Conn`]: anything else waits for the writer that you hold.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    db: Db,
    settings: Settings,
    shared: Shared,
    // In the order in which one transaction writes them: what frees others first.
    complete: Joined<Complete>,
    settle: Joined<Settle>,
    beats: Joined<Beats>,
    create: Joined<Create>,
    claim: Joined<Claim>,
    /// Held by the one who watches.
    watching: Mutex<()>,
    turns: Turns,
}

impl Service {
    /// Works on a database where [`crate::MIGRATIONS`] have run, with settings whose `validate` found nothing.
    pub fn new(db: Db, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        Self::build(db, clock, settings, None)
    }

    /// As [`Service::new`]; `publisher` is told of tasks that end, in the transaction in which they do. Which of them,
    /// `announce` of the settings says.
    pub fn with_publisher(
        db: Db,
        clock: Arc<dyn Clock>,
        settings: Settings,
        publisher: Arc<dyn Publisher>,
    ) -> Self {
        Self::build(db, clock, settings, Some(publisher))
    }

    fn build(
        db: Db,
        clock: Arc<dyn Clock>,
        settings: Settings,
        publisher: Option<Arc<dyn Publisher>>,
    ) -> Self {
        let notes = Notes::new(&db, clock.clone(), settings.notify);
        let shared = Shared {
            clock,
            bells: Arc::new(Bells::default()),
            notes: Arc::new(notes),
            ends: Arc::new(Ends::default()),
            labels: Arc::new(Labels::new(settings.queues.keys().cloned())),
            announcer: Announcer::new(publisher, settings.announce),
            keep_payload: settings.keep_payload,
            relaxed_complete: settings.relaxed_complete,
        };
        Self(Arc::new(Inner {
            complete: db.join(Complete(shared.clone())),
            settle: db.join(Settle(shared.clone())),
            beats: db.join(Beats(shared.clone())),
            create: db.join(Create(shared.clone())),
            claim: db.join(Claim {
                shared: shared.clone(),
                places: Places::default(),
                floors: Floors::new(shared.clock.clone()),
            }),
            db,
            settings,
            shared,
            watching: Mutex::default(),
            turns: Turns::default(),
        }))
    }

    /// Metrics name this queue, however many others there are.
    pub(crate) fn name_in_metrics(&self, queue: &str) {
        self.0.shared.labels.know(queue);
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.shared.clock
    }

    /// What the settings say.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn bells(&self) -> &Bells {
        &self.0.shared.bells
    }

    fn own(&self, conn: &Conn) -> Result<(), Error> {
        match conn.belongs_to(&self.0.db) {
            true => Ok(()),
            false => Err(Error::OtherDatabase),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("db", &self.0.db)
            .finish_non_exhaustive()
    }
}
