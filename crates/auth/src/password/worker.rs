use std::io;
use std::thread;

use argon2::Block;

use super::queue::{Job, Seat};

/// Starts the thread of one seat.
///
/// # Errors
/// The system has no more threads.
pub(super) fn start(seat: Seat) -> io::Result<()> {
    thread::Builder::new()
        .name("password-hash".to_owned())
        .spawn(move || work(seat))
        .map(drop)
}

fn work(mut seat: Seat) {
    yield_to_others();
    while let Some(job) = seat.next() {
        let Job {
            password,
            scheme,
            reply,
            ..
        } = job;
        let outcome = scheme.derive(password.expose().as_bytes(), &mut seat.memory);
        match outcome {
            // Nobody waits for it where the client left.
            Ok(hash) => drop(reply.send(hash)),
            Err(error) => {
                tracing::error!(%error, "a password was not hashed; the client may try again")
            }
        }
    }
}

/// A flood of logins may use all cores, but not make every other request wait for them.
fn yield_to_others() {
    // Linux alone has a priority for each thread; elsewhere this would slow down the whole server.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "threads that hash passwords keep their priority");
    }
}

/// Room that is reserved at least, in blocks of 1 KiB. glibc keeps what is freed below 32 MiB to itself for later;
/// above, it comes from the system and goes back to it. What is reserved and never touched costs address space only.
const RESERVED: usize = 33 * 1_024;

/// The blocks of one thread, kept from one hash to the next. Its size is claimed first, the memory taken later.
#[derive(Default)]
pub(super) struct Memory {
    kib: u32,
    blocks: Vec<Block>,
}

impl Memory {
    /// What is claimed.
    pub(super) const fn kib(&self) -> u32 {
        self.kib
    }

    /// Claims so much instead.
    pub(super) const fn claim(&mut self, kib: u32) {
        self.kib = kib;
    }

    /// Gives the memory back to the system. Returns what was claimed.
    pub(super) fn release(&mut self) -> u32 {
        self.blocks = Vec::new();
        std::mem::take(&mut self.kib)
    }

    /// Makes room for somebody who takes memory otherwise. What is claimed stays claimed.
    pub(super) fn forget_blocks(&mut self) {
        self.blocks = Vec::new();
    }

    /// As many blocks as are claimed; `None` where the system has no memory.
    pub(super) fn blocks(&mut self) -> Option<&mut [Block]> {
        let count = self.kib as usize;
        if self.blocks.len() < count {
            // The old ones go first: both together would be more than was claimed.
            self.blocks = Vec::new();
            self.blocks.try_reserve_exact(count.max(RESERVED)).ok()?;
            self.blocks.resize(count, Block::new());
        }
        Some(&mut self.blocks)
    }
}
