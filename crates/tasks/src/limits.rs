//! Rates, as a token bucket that is one number: the time at which it will be full again (GCRA).

/// So many claims in so many microseconds in the long run, and up to as many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) n: i64,
    pub(crate) per_us: i64,
}

impl Bucket {
    /// How many may go at `now`, of a bucket that is full again at `full_at`.
    pub(crate) fn tokens(self, now: i64, full_at: i64) -> i64 {
        let free = (now + self.per_us - full_at.max(now)).max(0);
        // Both factors have a limit, and their product is far below the largest number.
        free.saturating_mul(self.n) / self.per_us
    }

    /// When it is full again once `count` went.
    pub(crate) fn spend(self, now: i64, full_at: i64, count: i64) -> i64 {
        let time = count.saturating_mul(self.per_us);
        full_at.max(now) + (time + self.n - 1) / self.n
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;

    const SECOND: i64 = 1_000_000;
    const BUCKET: Bucket = Bucket {
        n: 3,
        per_us: SECOND,
    };

    #[test]
    fn a_full_bucket_gives_all_and_then_one_at_a_time() {
        let (mut full_at, mut given) = (0, Vec::new());
        for turn in 0..7 {
            let now = 1_000 * SECOND + turn * 334_000;
            let tokens = BUCKET.tokens(now, full_at);
            full_at = BUCKET.spend(now, full_at, tokens);
            given.push(tokens);
        }
        assert_eq!(given, [3, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn in_the_long_run_it_gives_no_more_than_its_rate() {
        let (mut full_at, mut given) = (0, 0);
        for now in (0..100 * SECOND).step_by(7_919) {
            let tokens = BUCKET.tokens(now, full_at);
            full_at = BUCKET.spend(now, full_at, tokens);
            given += tokens;
        }
        assert!((297..=303).contains(&given), "{given}");
    }

    #[test]
    fn a_clock_that_goes_back_stops_nobody_for_longer_than_it_went() {
        let full_at = BUCKET.spend(1_000 * SECOND, 0, 3);
        assert_eq!(BUCKET.tokens(900 * SECOND, full_at), 0);
        assert_eq!(BUCKET.tokens(1_001 * SECOND, full_at), 3);
    }
}
