use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cgcg_core::{BoxFuture, Clock, SystemClock, Timestamp};

/// What all processes of a run are told, through one file: how far the clock is off, whether the disk is full, whether
/// the pools are used up.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    file: PathBuf,
    skew_us: Arc<AtomicI64>,
}

/// What the file says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) skew_s: i64,
    pub(crate) full: bool,
    pub(crate) taken: bool,
}

impl Control {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            file: folder.join("control"),
            skew_us: Arc::default(),
        }
    }

    /// Tells all.
    pub(crate) fn order(&self, orders: Orders) {
        let Orders {
            skew_s,
            full,
            taken,
        } = orders;
        let text = format!("{skew_s} {} {}", u8::from(full), u8::from(taken));
        let new = self.file.with_extension("new");
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.file));
        written.expect("a folder of our own");
        self.read();
    }

    /// What was told last; the clocks of this process follow.
    pub(crate) fn read(&self) -> Orders {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let numbers: Vec<i64> = text
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        let [skew_s, full, taken] = numbers[..] else {
            return Orders::default();
        };
        self.skew_us.store(skew_s * 1_000_000, Ordering::Relaxed);
        Orders {
            skew_s,
            full: full == 1,
            taken: taken == 1,
        }
    }
}

/// The clock of the machine, as an administrator may set it.
pub(crate) struct SkewedClock {
    clock: SystemClock,
    control: Control,
}

impl SkewedClock {
    pub(crate) fn new(control: Control) -> Self {
        control.read();
        Self {
            clock: SystemClock::default(),
            control,
        }
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let skew = self.control.skew_us.load(Ordering::Relaxed);
        Timestamp::from_micros(self.clock.now().micros() + skew)
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(time)
    }
}
