use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::failure::Failure;
use super::{Batch, GroupError, lock};
use crate::db::conn::Mark;
use crate::{BoxFuture, Conn, Trouble};

/// Items of one kind in one transaction, at most.
const ITEMS: usize = 1_024;
/// Their bytes, about.
const BYTES: usize = 4 << 20;

type Sender<B> = oneshot::Sender<Result<<B as Batch>::Answer, GroupError>>;

/// All that wait with one kind of write.
pub(super) struct Queue<B: Batch> {
    batch: B,
    waiting: Mutex<VecDeque<(B::Item, Sender<B>)>>,
}

/// A [`Queue`] of whatever kind.
pub(super) trait Party: Send + Sync {
    fn waits(&self) -> bool;

    /// What goes into the next transaction; `None` where nothing waits.
    fn take(self: Arc<Self>) -> Option<Box<dyn Load>>;

    /// Drops all that wait.
    fn forsake(&self);
}

/// Items that one transaction took, of whatever kind.
pub(super) trait Load: Send {
    fn items(&self) -> usize;

    /// Writes them all without a transaction; `false` where it takes one.
    fn write_in_one<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, sqlx::Result<bool>>;

    /// Writes them all. An error ends the transaction.
    fn write<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, sqlx::Result<()>>;

    /// As [`Load::write`], but what is wrong with one item alone is kept for its caller. `whole`: all at once are tried
    /// first.
    fn apart<'a>(&'a mut self, conn: &'a mut Conn, whole: bool) -> BoxFuture<'a, sqlx::Result<()>>;

    /// After the commit, or after the failure of all.
    fn answer(self: Box<Self>, failure: Option<&Failure>);
}

impl<B: Batch> Queue<B> {
    pub(super) fn new(batch: B) -> Self {
        Self {
            batch,
            waiting: Mutex::default(),
        }
    }

    pub(super) fn push(&self, item: B::Item, answer: Sender<B>) {
        lock(&self.waiting).push_back((item, answer));
    }
}

impl<B: Batch> Party for Queue<B> {
    fn waits(&self) -> bool {
        !lock(&self.waiting).is_empty()
    }

    fn take(self: Arc<Self>) -> Option<Box<dyn Load>> {
        let (mut items, mut senders, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut waiting = lock(&self.waiting);
        while items.len() < ITEMS
            && let Some((item, answer)) = waiting.pop_front()
        {
            if answer.is_closed() {
                continue;
            }
            bytes += self.batch.size(&item);
            if bytes > BYTES && !items.is_empty() {
                waiting.push_front((item, answer));
                break;
            }
            items.push(item);
            senders.push(answer);
        }
        drop(waiting);
        (!items.is_empty()).then(|| -> Box<dyn Load> {
            Box::new(Taken {
                queue: self,
                items,
                senders,
                answers: Vec::new(),
            })
        })
    }

    fn forsake(&self) {
        lock(&self.waiting).clear();
    }
}

struct Taken<B: Batch> {
    queue: Arc<Queue<B>>,
    items: Vec<B::Item>,
    senders: Vec<Sender<B>>,
    /// One for each item, once they are written.
    answers: Vec<sqlx::Result<B::Answer>>,
}

impl<B: Batch> Taken<B> {
    async fn all(&mut self, conn: &mut Conn) -> sqlx::Result<()> {
        let answers = self.queue.batch.write(conn, &self.items).await?;
        self.answers = answers.into_iter().map(Ok).collect();
        Ok(())
    }

    async fn all_or_each(&mut self, conn: &mut Conn) -> sqlx::Result<()> {
        let mark = conn.save().await?;
        match self.all(conn).await {
            Ok(()) => conn.release().await,
            Err(error) => {
                let error = undone(conn, mark, error).await?;
                tracing::debug!(%error, items = self.items.len(), "a batch failed; its items are written one by one");
                self.each(conn).await
            }
        }
    }

    async fn each(&mut self, conn: &mut Conn) -> sqlx::Result<()> {
        self.answers.clear();
        for item in &self.items {
            let mark = conn.save().await?;
            let written = self
                .queue
                .batch
                .write(conn, std::slice::from_ref(item))
                .await;
            self.answers.push(match written {
                Ok(mut answers) => {
                    conn.release().await?;
                    answers.pop().ok_or_else(no_answer)
                }
                Err(error) => Err(undone(conn, mark, error).await?),
            });
        }
        Ok(())
    }
}

/// Goes back to before what failed. Where that is not possible all is lost: for the first reason, because SQLite undoes a
/// whole transaction where the disk is full, unless the connection is gone.
async fn undone(conn: &mut Conn, mark: Mark, error: sqlx::Error) -> sqlx::Result<sqlx::Error> {
    match conn.undo(mark).await {
        Ok(()) => Ok(error),
        Err(gone) if Trouble::of(&gone) == Trouble::Gone => Err(gone),
        Err(_) => Err(error),
    }
}

impl<B: Batch> Load for Taken<B> {
    fn items(&self) -> usize {
        self.items.len()
    }

    fn write_in_one<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, sqlx::Result<bool>> {
        Box::pin(async move {
            let answers = self.queue.batch.write_in_one(conn, &self.items).await?;
            let written = answers.is_some();
            self.answers = answers.into_iter().flatten().map(Ok).collect();
            Ok(written)
        })
    }

    fn write<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(self.all(conn))
    }

    fn apart<'a>(&'a mut self, conn: &'a mut Conn, whole: bool) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(async move {
            match whole && self.items.len() > 1 {
                true => self.all_or_each(conn).await,
                false => self.each(conn).await,
            }
        })
    }

    fn answer(self: Box<Self>, failure: Option<&Failure>) {
        let mut answers = self.answers.into_iter();
        for sender in self.senders {
            let answer = match failure {
                Some(failure) => Err(failure.tell()),
                None => answers
                    .next()
                    .unwrap_or_else(|| Err(no_answer()))
                    .map_err(GroupError::NotStored),
            };
            // Whoever left needs no answer.
            let _ = sender.send(answer);
        }
    }
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Protocol("a batch answered too few of its items".to_owned())
}
