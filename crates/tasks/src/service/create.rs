use std::collections::HashSet;
use std::time::Duration;

use cgcg_core::{Conn, Timestamp};
use serde::Serialize;

use super::Service;
use crate::batch::Shared;
use crate::schemas::state;
use crate::store::enqueue::{Holder, NewRow, enqueue, existing};
use crate::store::{key, read};
use crate::{Created, Error, Name, Payload, TaskCreate, TaskId, TaskState};

/// Tasks in one statement and transaction, at most.
pub(super) const CHUNK: usize = 1_000;
/// How often a unique key is asked for that changes hands meanwhile.
const TRIES: usize = 3;

/// A task that may be stored.
pub(crate) struct Wanted {
    pub(crate) row: NewRow,
    /// With a unique key: how long it is taken, whatever becomes of the task.
    pub(super) window: Option<Duration>,
}

impl Service {
    /// Makes one task for the handler called `name`, with what the settings say; durable when this returns.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::TooLarge`], [`Error::Unknown`], [`Error::Database`].
    pub async fn create_task(
        &self,
        name: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<TaskId, Error> {
        let name: Name = name.parse().map_err(|invalid| Error::Invalid {
            field: "name",
            invalid,
        })?;
        let payload = Payload::of(payload).map_err(|invalid| Error::Invalid {
            field: "payload",
            invalid,
        })?;
        Ok(self.create(TaskCreate::new(name, payload)).await?.id)
    }

    /// Makes one task; durable when this returns.
    ///
    /// # Errors
    /// As [`Service::create_task`].
    pub async fn create(&self, new: TaskCreate) -> Result<Created, Error> {
        let created = self.create_many(vec![new]).await?;
        created.first().copied().ok_or(Error::NotFound)
    }

    /// Makes any number of tasks, in their order; all or none of each thousand.
    ///
    /// # Errors
    /// As [`Service::create_task`]. Where one does not fit, none is made; where the database fails, earlier thousands
    /// may be stored.
    pub async fn create_many(&self, new: Vec<TaskCreate>) -> Result<Vec<Created>, Error> {
        let mut wanted = Vec::with_capacity(new.len());
        for new in new {
            wanted.push(self.check(new)?);
        }
        let mut created = Vec::with_capacity(wanted.len());
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(CHUNK));
            created.extend(self.0.create.write(wanted).await?);
            wanted = rest;
        }
        Ok(created)
    }

    /// Makes one task in the caller's transaction: it exists if that commits.
    ///
    /// # Errors
    /// As [`Service::create_task`]; [`Error::OtherDatabase`]. Then roll back: where the disk is full SQLite has done so
    /// itself, and what is written with `conn` afterwards is kept at once.
    pub async fn create_in(&self, conn: &mut Conn, new: TaskCreate) -> Result<Created, Error> {
        self.own(conn)?;
        let wanted = self.check(new)?;
        let created = create_all(&self.0.shared, conn, &[&wanted]).await?;
        created.first().copied().ok_or(Error::NotFound)
    }

    /// As [`Service::create_in`], for the tick of a schedule.
    pub(super) async fn create_tick(
        &self,
        conn: &mut Conn,
        new: TaskCreate,
        tick: Timestamp,
    ) -> Result<TaskId, Error> {
        let mut wanted = self.check(new)?;
        wanted.row.tick_at = Some(tick);
        let id = wanted.row.id;
        create_all(&self.0.shared, conn, &[&wanted]).await?;
        Ok(id)
    }
}

/// Stores what no other task keeps out, and answers one for each, in their order.
pub(crate) async fn create_all(
    shared: &Shared,
    conn: &mut Conn,
    wanted: &[&Wanted],
) -> sqlx::Result<Vec<Created>> {
    // Two transactions that take the same keys in opposite order would wait for each other.
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|index| wanted[*index].row.unique_key.as_deref());
    let time = shared.clock.now();
    let mut created: Vec<_> = wanted
        .iter()
        .map(|wanted| fresh(&wanted.row, time))
        .collect();
    let mut rows = Vec::with_capacity(wanted.len());
    for index in order {
        if let Some(holder) = window(shared, conn, wanted[index]).await? {
            created[index] = known(holder.id, holder.state);
        } else {
            rows.push((index, &wanted[index].row));
        }
    }
    let new: Vec<&NewRow> = rows.iter().map(|(_, row)| *row).collect();
    let now = shared.now(conn);
    let stored: HashSet<TaskId> = enqueue(conn, now, &new).await?.into_iter().collect();
    for (index, row) in rows {
        if stored.contains(&row.id) {
            continue;
        }
        if let Some(holder) = holder(shared, conn, row).await? {
            created[index] = known(holder.id, holder.state);
            if let (Some(_), Some(key)) = (wanted[index].window, &row.unique_key) {
                key::point(conn, key, holder.id).await?;
            }
        }
    }
    ring(shared, conn, &new);
    Ok(created)
}

fn fresh(row: &NewRow, time: Timestamp) -> Created {
    let waits = row.run_at.is_some_and(|at| at > time);
    Created {
        id: row.id,
        existing: false,
        state: if waits {
            TaskState::Scheduled
        } else {
            TaskState::Ready
        },
    }
}

const fn known(id: TaskId, number: i16) -> Created {
    Created {
        id,
        existing: true,
        state: state(number),
    }
}

/// Who has taken the key for a time; `None` where nobody had, or nobody has to.
async fn window(shared: &Shared, conn: &mut Conn, wanted: &Wanted) -> sqlx::Result<Option<Holder>> {
    let (Some(time), Some(key)) = (wanted.window, &wanted.row.unique_key) else {
        return Ok(None);
    };
    for _ in 0..TRIES {
        let now = shared.now(conn);
        if key::take(conn, now, key, b"", wanted.row.id, time).await? {
            return Ok(None);
        }
        // Gone again: its time was over.
        if let Some(id) = key::find(conn, key).await? {
            let task = read::find(conn, id).await?;
            // What was deleted since had ended.
            let state = task.map_or(6, |task| task.state);
            return Ok(Some(Holder { id, state }));
        }
    }
    Err(changes_hands())
}

/// The live task that keeps `row` out; `None` where that one has ended meanwhile, and `row` is stored now.
async fn holder(shared: &Shared, conn: &mut Conn, row: &NewRow) -> sqlx::Result<Option<Holder>> {
    for _ in 0..TRIES {
        if let Some(key) = &row.unique_key
            && let Some(holder) = existing(conn, key).await?
        {
            return Ok(Some(holder));
        }
        let now = shared.now(conn);
        if !enqueue(conn, now, &[row]).await?.is_empty() {
            return Ok(None);
        }
    }
    Err(changes_hands())
}

fn changes_hands() -> sqlx::Error {
    sqlx::Error::Protocol("a unique key changes hands too fast".to_owned())
}

fn ring(shared: &Shared, conn: &mut Conn, rows: &[&NewRow]) {
    shared.ring_created(conn, rows);
    if rows.iter().any(|row| row.run_at.is_some()) {
        shared.ring_scheduled(conn);
    }
}
