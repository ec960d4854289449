use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// So many may be kept waiting for their refusal; each holds a request in memory.
const SEATS: u32 = 1_024;
/// How long the first of them waits, and how much longer the last: they neither come nor leave together.
const PAUSE: Duration = Duration::from_millis(250);
const SPREAD: Duration = Duration::from_millis(500);

/// Where callers pause before they are turned away.
///
/// A refusal that cost nothing would be answered by the next request at once: a thousand connections that ask again and
/// again would take the time of everybody else.
#[derive(Default)]
pub(super) struct Lobby(AtomicU32);

impl Lobby {
    /// A seat, given back when dropped; `None` where all are taken.
    pub(super) fn enter(&self) -> Option<Seat<'_>> {
        let free = |taken| (taken < SEATS).then_some(taken + 1);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, free)
            .ok()?;
        Some(Seat { lobby: self, taken })
    }
}

pub(super) struct Seat<'a> {
    lobby: &'a Lobby,
    taken: u32,
}

impl Seat<'_> {
    /// How long to stay.
    pub(super) fn pause(&self) -> Duration {
        PAUSE + SPREAD * self.taken / SEATS
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.lobby.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_and_come_back() {
        let lobby = Lobby::default();
        let mut seats: Vec<_> = std::iter::from_fn(|| lobby.enter()).collect();
        assert_eq!(seats.len(), SEATS as usize);
        let pauses = [&seats[0], &seats[1_023]].map(|seat| seat.pause().as_millis());
        assert_eq!(pauses, [250, 749]);
        seats.pop();
        assert!(lobby.enter().is_some());
    }
}
