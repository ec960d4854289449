use cgcg_core::{Invalid, Timestamp};
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// A time zone, with its history in the program itself.
#[derive(Debug, Clone)]
pub(super) struct Zone(TimeZone);

/// A day of the calendar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day(Date);

impl Day {
    pub(super) fn day(self) -> u8 {
        self.0.day().unsigned_abs()
    }

    pub(super) fn month(self) -> u8 {
        self.0.month().unsigned_abs()
    }

    /// Sunday is 0.
    pub(super) fn weekday(self) -> u8 {
        self.0.weekday().to_sunday_zero_offset().unsigned_abs()
    }
}

impl Zone {
    pub(super) fn find(name: &str) -> Result<Self, Invalid> {
        TimeZone::get(name).map(Self).map_err(|_| {
            Invalid::new(
                "time_zone_unknown",
                "expected a name like Europe/Berlin, or UTC",
            )
        })
    }

    /// Its name as the IANA writes it.
    pub(super) fn name(&self) -> Option<&str> {
        self.0.iana_name()
    }

    /// The days from the one before `time` on.
    pub(super) fn days(&self, time: Timestamp) -> impl Iterator<Item = Day> + use<> {
        let first = jiff::Timestamp::from_microsecond(time.micros())
            .ok()
            .and_then(|time| self.0.to_datetime(time).date().yesterday().ok());
        std::iter::successors(first, |day| day.tomorrow().ok()).map(Day)
    }

    /// Every instant that has this local time: two where it is repeated, none where it is skipped.
    pub(super) fn every(&self, day: Day, hour: u8, minute: u8) -> [Option<Timestamp>; 2] {
        let Some(local) = at(day, hour, minute) else {
            return [None, None];
        };
        let instant = |offset: jiff::tz::Offset| micros(offset.to_timestamp(local).ok()?);
        match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => [instant(offset), None],
            AmbiguousOffset::Gap { .. } => [None, None],
            AmbiguousOffset::Fold { before, after } => [instant(before), instant(after)],
        }
    }

    /// The one instant that stands for this time of day.
    pub(super) fn once(&self, day: Day, hour: u8, minute: u8) -> [Option<Timestamp>; 2] {
        let once = || {
            let local = at(day, hour, minute)?;
            let instant = |offset: jiff::tz::Offset| offset.to_timestamp(local).ok();
            let instant = match self.0.to_ambiguous_timestamp(local).offset() {
                AmbiguousOffset::Unambiguous { offset } => instant(offset)?,
                AmbiguousOffset::Fold { before, .. } => instant(before)?,
                AmbiguousOffset::Gap { before, .. } => self.gap_before(instant(before)?)?,
            };
            micros(instant)
        };
        [once(), None]
    }

    /// When the gap ended that a time of day fell into: the last change of the clock before or at `instant`, which is
    /// that time by the clock from before the gap.
    fn gap_before(&self, instant: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let after = instant + jiff::SignedDuration::from_secs(1);
        let change = self.0.preceding(after).next()?;
        Some(change.timestamp())
    }
}

fn at(day: Day, hour: u8, minute: u8) -> Option<jiff::civil::DateTime> {
    let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
    Some(day.0.at(hour, minute, 0, 0))
}

fn micros(instant: jiff::Timestamp) -> Option<Timestamp> {
    Some(Timestamp::from_micros(instant.as_microsecond()))
}
