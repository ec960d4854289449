/// Parts of a queue in its order, by priority and time; all of it by default. SQLite always scans all of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ranges {
    pub(super) lows: Vec<i16>,
    pub(super) starts: Vec<i64>,
    pub(super) highs: Vec<i16>,
}

impl Default for Ranges {
    fn default() -> Self {
        [].into_iter().collect()
    }
}

/// Of each of these priorities, in their order, what is not before its time, and all of the others.
impl FromIterator<(i16, i64)> for Ranges {
    fn from_iter<I: IntoIterator<Item = (i16, i64)>>(floors: I) -> Self {
        let mut ranges = Self {
            lows: vec![i16::MIN],
            starts: vec![i64::MIN],
            highs: Vec::new(),
        };
        for (priority, from) in floors {
            ranges.highs.extend([priority - 1, priority]);
            ranges.lows.extend([priority, priority + 1]);
            ranges.starts.extend([from, i64::MIN]);
        }
        ranges.highs.push(i16::MAX);
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_out_nothing_but_what_is_before_its_time() {
        let (min, max) = (i16::MIN, i16::MAX);
        let ranges: Ranges = [(5, 70), (6, 30)].into_iter().collect();
        assert_eq!(ranges.lows, [min, 5, 6, 6, 7]);
        assert_eq!(ranges.starts, [i64::MIN, 70, i64::MIN, 30, i64::MIN]);
        assert_eq!(ranges.highs, [4, 5, 5, 6, max]);
    }
}
