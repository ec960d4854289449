use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// `base`, doubled with each attempt from 1 on, at most `most`.
pub(crate) fn doubled(base: Duration, most: Duration, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    base.saturating_mul(1 << doublings).min(most)
}

/// Up to a tenth more or less, so that those who failed together do not come back together. The same for the same
/// `seed`: chance enough, and a test can tell what comes.
pub(crate) fn spread(time: Duration, seed: impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let thousandths = u32::try_from(hasher.finish() % 201).unwrap_or_default() + 900;
    time.saturating_mul(thousandths) / 1_000
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{doubled, spread};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_longest() {
        let hour = 3_600 * SECOND;
        let pauses =
            [1, 2, 3, 4, 12, 13, 100, u32::MAX].map(|attempt| doubled(SECOND, hour, attempt));
        let seconds = [1, 2, 4, 8, 2_048, 3_600, 3_600, 3_600];
        assert_eq!(pauses, seconds.map(Duration::from_secs));
    }

    #[test]
    fn a_pause_is_spread_by_a_tenth_at_most() {
        let spreads: Vec<_> = (0..1_000).map(|seed| spread(10 * SECOND, seed)).collect();
        assert!(
            spreads
                .iter()
                .all(|time| (9 * SECOND..=11 * SECOND).contains(time))
        );
        assert!(
            spreads
                .iter()
                .any(|time| *time < Duration::from_millis(9_500))
        );
        assert!(
            spreads
                .iter()
                .any(|time| *time > Duration::from_millis(10_500))
        );
    }
}
