//! `Idempotency-Key` of a request that makes tasks: draft-ietf-httpapi-idempotency-key-header.

use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::Service;
use super::create::create_all;
use crate::store::key;
use crate::{Created, Error, TaskCreate, TaskId};

/// A name that a client gives to one request, so that it may send it again. 1 to 255 bytes of printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// What a request with an [`IdempotencyKey`] is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// As it was made the first time.
    pub answer: Vec<u8>,
    /// Whether it was given before.
    pub replayed: bool,
}

/// Bytes of a fingerprint.
const PRINT: usize = 32;

impl FromStr for IdempotencyKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fits =
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::IdempotencyKeyInvalid),
        }
    }
}

impl IdempotencyKey {
    /// The keys of two owners, and those of unique tasks, never meet.
    fn hash(&self, owner: &str) -> [u8; PRINT] {
        let mut hash = Sha256::new();
        for part in ["idempotency-key", owner, &self.0] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

impl Service {
    /// Makes tasks at the first request that `owner` calls `key`; later ones with the same bytes get the same answer,
    /// for `idempotency_window`. `answer` makes it of what became of each task; where it fails nothing is made, and the
    /// key stays free.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`] where the bytes of the request differ; those of `answer`; [`Error::Database`].
    pub async fn create_once(
        &self,
        key: &IdempotencyKey,
        owner: &str,
        request: &[u8],
        new: Vec<TaskCreate>,
        answer: impl FnOnce(Vec<Result<Created, Error>>) -> Result<Vec<u8>, Error> + Send,
    ) -> Result<Answered, Error> {
        let (key, print) = (key.hash(owner), Sha256::digest(request));
        let mut conn = self.0.db.begin().await?;
        let now = self.0.shared.now(&conn);
        let (id, time) = (
            TaskId::new(self.clock().now()),
            self.settings().idempotency_window.get(),
        );
        if !key::take(&mut conn, now, &key, &print, id, time).await? {
            let body = key::body(&mut conn, &key).await?.ok_or(Error::Changed)?;
            return match body.split_at_checked(PRINT) {
                Some((before, answer)) if before == &print[..] => Ok(Answered {
                    answer: answer.to_vec(),
                    replayed: true,
                }),
                _ => Err(Error::IdempotencyKeyReused),
            };
        }
        let checked: Vec<_> = new.into_iter().map(|new| self.check(new)).collect();
        let wanted: Vec<_> = checked.iter().flatten().collect();
        let mut made = create_all(&self.0.shared, &mut conn, &wanted)
            .await?
            .into_iter();
        let outcomes = checked
            .into_iter()
            .map(|checked| checked.and_then(|_| made.next().ok_or(Error::NotFound)));
        let answer = answer(outcomes.collect())?;
        key::write(&mut conn, &key, &[&print[..], &answer].concat()).await?;
        conn.commit().await?;
        Ok(Answered {
            answer,
            replayed: false,
        })
    }

    /// Makes what can be made of these tasks, in their order: one that does not fit keeps no other out.
    ///
    /// # Errors
    /// Of all: [`Error::Unknown`], [`Error::Database`]. Of each: as [`Service::create_task`].
    pub async fn create_each(
        &self,
        new: Vec<TaskCreate>,
    ) -> Result<Vec<Result<Created, Error>>, Error> {
        let (mut fit, mut outcomes) = (Vec::new(), Vec::with_capacity(new.len()));
        for new in new {
            match self.check(new) {
                Ok(wanted) => {
                    fit.push(wanted);
                    outcomes.push(None);
                }
                Err(error) => outcomes.push(Some(error)),
            }
        }
        let mut made = Vec::new();
        while !fit.is_empty() {
            let rest = fit.split_off(fit.len().min(super::create::CHUNK));
            made.extend(self.0.create.write(fit).await?);
            fit = rest;
        }
        let mut made = made.into_iter();
        let each = outcomes.into_iter().map(|outcome| match outcome {
            Some(error) => Err(error),
            None => made.next().ok_or(Error::NotFound),
        });
        Ok(each.collect())
    }
}
