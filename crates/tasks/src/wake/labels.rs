use std::collections::HashSet;
use std::sync::Mutex;

use super::lock;

/// Queues that metrics name. Anybody who may make tasks may make up queues, and each name would stay for ever.
const MOST: usize = 200;
const OTHER: &str = "other";

/// What queues are called in metrics: the first 200 by name, the rest `other`.
#[derive(Default)]
pub(crate) struct Labels(Mutex<HashSet<String>>);

impl Labels {
    /// `known` have names before all others.
    pub(crate) fn new(known: impl IntoIterator<Item = String>) -> Self {
        Self(Mutex::new(known.into_iter().take(MOST).collect()))
    }

    /// This one has its name, come what may.
    pub(crate) fn know(&self, queue: &str) {
        lock(&self.0).insert(queue.to_owned());
    }

    pub(crate) fn of(&self, queue: &str) -> String {
        let mut known = lock(&self.0);
        if known.contains(queue) {
            return queue.to_owned();
        }
        if known.len() >= MOST {
            return OTHER.to_owned();
        }
        known.insert(queue.to_owned());
        queue.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_that_somebody_makes_up_do_not_fill_the_metrics() {
        let labels = Labels::default();
        for queue in 0..MOST {
            assert_eq!(labels.of(&queue.to_string()), queue.to_string());
        }
        assert_eq!(labels.of("one more"), OTHER);
        assert_eq!(labels.of("7"), "7");
        labels.know("mine");
        assert_eq!(labels.of("mine"), "mine");
    }
}
