//! Who is told of what: inside of one process by bells, between processes on PostgreSQL by notices.

mod bells;
mod ends;
mod labels;
mod notes;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use bells::Bells;
pub(crate) use ends::{Ends, Watch};
pub(crate) use labels::Labels;
pub(crate) use notes::{ASKED, Notes, READY};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
