//! When a schedule fires.
//!
//! Five fields as in Vixie cron: minute, hour, day of month, month, day of week. Where both days are restricted, either
//! will do. There are no seconds.

mod field;
mod local;

use cgcg_core::{Invalid, Timestamp};

use field::{Field, Fields};
use local::Zone;

/// An expression in a time zone.
///
/// **Daylight saving.** An hour field with `*` or `*/n` follows real time: every instant whose local time fits, in both
/// passes of a repeated hour. Any other hour field is a time of day: it fires once. In a gap that is the first instant
/// after it, for all times in the gap together; in a repeated hour the first pass.
#[derive(Debug, Clone)]
pub(crate) struct Cron {
    fields: Fields,
    zone: Zone,
}

/// An expression that does not fire within so many days never does: 29 February comes once in eight years at least.
const DAYS: usize = 8 * 366 + 2;

impl Cron {
    /// Reads `expression` and the name of an IANA time zone. An expression that never fires is refused.
    ///
    /// # Errors
    /// `cron_invalid` with the place, `time_zone_unknown`, `cron_never_fires`.
    pub(crate) fn parse(expression: &str, zone: &str) -> Result<Self, Invalid> {
        let cron = Self {
            fields: Fields::parse(expression)?,
            zone: Zone::find(zone)?,
        };
        // From the year 2000 on, so that the answer does not depend on the day it is asked for.
        let never = cron
            .after(Timestamp::from_micros(946_684_800_000_000))
            .is_none();
        match never {
            true => Err(Invalid::new(
                "cron_never_fires",
                "expected an expression that fires within 8 years",
            )),
            false => Ok(cron),
        }
    }

    /// The name of its time zone as the IANA writes it, however it was asked for.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.zone.name()
    }

    /// The first time it fires after `time`; `None` beyond eight years.
    pub(crate) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        // A day back: in a repeated hour at midnight, the day before goes on after the day began.
        let mut first: Option<Timestamp> = None;
        for day in self.zone.days(time).take(DAYS) {
            // The same way round: the day after the one that fires may begin before it ends.
            let done = first.is_some();
            let fits = self.fields.day_fits(day);
            let fires = fits.then(|| self.fires(day, time)).flatten();
            first = first.into_iter().chain(fires).min();
            if done {
                break;
            }
        }
        first
    }

    /// The first time after `time` at which it fires on a day of the calendar.
    fn fires(&self, day: local::Day, time: Timestamp) -> Option<Timestamp> {
        let (hours, minutes) = (&self.fields.hour, &self.fields.minute);
        let times = hours
            .values()
            .flat_map(|hour| minutes.values().map(move |minute| (hour, minute)));
        let instants = times.flat_map(|(hour, minute)| match hours.star {
            true => self.zone.every(day, hour, minute),
            false => self.zone.once(day, hour, minute),
        });
        instants.flatten().filter(|instant| *instant > time).min()
    }
}

impl Fields {
    fn day_fits(&self, day: local::Day) -> bool {
        let (of_month, of_week) = (&self.day_of_month, &self.day_of_week);
        let month_day = of_month.has(day.day());
        let week_day = of_week.has(day.weekday());
        let either = !of_month.star && !of_week.star;
        self.month.has(day.month())
            && if either {
                month_day || week_day
            } else {
                month_day && week_day
            }
    }
}

impl Field {
    fn has(&self, value: u8) -> bool {
        self.bits & (1 << value) != 0
    }

    fn values(&self) -> impl Iterator<Item = u8> + '_ {
        (0..60).filter(|value| self.has(*value))
    }
}
