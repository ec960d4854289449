use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cgcg_core::{Clock, Conn};
use metrics::counter;

use crate::TaskId;
use crate::message::Announcer;
use crate::store::enqueue::NewRow;
use crate::store::{self, Now};
use crate::wake::{Bells, Ends, Labels, Notes};

/// What every kind of write needs.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bells: Arc<Bells>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) ends: Arc<Ends>,
    pub(crate) labels: Arc<Labels>,
    pub(crate) announcer: Announcer,
    pub(crate) keep_payload: bool,
    pub(crate) relaxed_complete: bool,
}

impl Shared {
    pub(crate) fn now(&self, conn: &Conn) -> Now {
        store::now(&*self.clock, conn)
    }

    /// Once this commits, whoever waits for work looks for it, in all processes.
    pub(crate) fn ring_ready<'a>(
        &self,
        conn: &mut Conn,
        queues: impl IntoIterator<Item = &'a str>,
    ) {
        let queues: BTreeSet<&str> = queues.into_iter().collect();
        let queues: Vec<String> = queues.into_iter().map(str::to_owned).collect();
        if queues.is_empty() {
            return;
        }
        let (bells, notes) = (self.bells.clone(), self.notes.clone());
        conn.on_commit(move || {
            for queue in &queues {
                bells.ready(queue);
                notes.ready(queue);
            }
        });
    }

    /// As [`Shared::ring_ready`], for new tasks: where this process has free places for all of them, others need not
    /// hear of it.
    pub(crate) fn ring_created(&self, conn: &mut Conn, rows: &[&NewRow]) {
        let mut queues: BTreeMap<String, (BTreeSet<String>, usize)> = BTreeMap::new();
        for row in rows {
            if !queues.contains_key(&row.queue) {
                queues.insert(row.queue.clone(), <_>::default());
            }
            if let Some((names, tasks)) = queues.get_mut(&row.queue) {
                *tasks += 1;
                if !names.contains(&row.name) {
                    names.insert(row.name.clone());
                }
            }
        }
        let (bells, notes) = (self.bells.clone(), self.notes.clone());
        let labels = self.labels.clone();
        conn.on_commit(move || {
            for (queue, (names, tasks)) in queues {
                counter!("cgcg_tasks_created_total", "queue" => labels.of(&queue))
                    .increment(tasks as u64);
                bells.ready(&queue);
                if !bells.takes(&queue, &names, tasks) {
                    notes.ready(&queue);
                }
            }
        });
    }

    /// Once this commits, whoever waits for scheduled work looks at when it is due.
    pub(crate) fn ring_scheduled(&self, conn: &mut Conn) {
        let (bells, notes) = (self.bells.clone(), self.notes.clone());
        conn.on_commit(move || {
            bells.scheduled();
            if !bells.watched() {
                notes.scheduled();
            }
        });
    }

    /// Once this commits, whoever fires schedules looks at when the next one is due.
    pub(crate) fn ring_schedules(&self, conn: &mut Conn) {
        let (bells, notes) = (self.bells.clone(), self.notes.clone());
        conn.on_commit(move || {
            bells.look();
            if !bells.watched() {
                notes.scheduled();
            }
        });
    }

    /// Once this commits, whoever waits for the end of these hears of it.
    ///
    /// # Errors
    /// Of the database: nobody could be told, so they must not end.
    pub(crate) async fn ring_succeeded(
        &self,
        conn: &mut Conn,
        ids: Vec<TaskId>,
    ) -> sqlx::Result<()> {
        let succeeded = ids.iter().map(|id| (*id, 4));
        self.announcer.ended(conn, succeeded).await?;
        let ends = self.ends.clone();
        conn.on_commit(move || ends.ring(ids));
        Ok(())
    }

    /// As [`Shared::ring_succeeded`], for those among `moved` that failed or were cancelled: they are swept up as well.
    pub(crate) async fn ring_ended(
        &self,
        conn: &mut Conn,
        moved: impl Iterator<Item = (TaskId, i16)>,
    ) -> sqlx::Result<()> {
        let ended: Vec<_> = moved.filter(|(_, state)| *state >= 4).collect();
        if ended.is_empty() {
            return Ok(());
        }
        self.announcer.ended(conn, ended.iter().copied()).await?;
        let (bells, ends) = (self.bells.clone(), self.ends.clone());
        conn.on_commit(move || {
            ends.ring(ended.into_iter().map(|(id, _)| id));
            bells.ended();
        });
        Ok(())
    }
}
