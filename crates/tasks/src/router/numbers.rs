//! Numbers of a request. A number that is too large for its type is out of range, and not of a wrong type.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::Error;

/// `None` stays `None`; what does not fit `T` is `out_of_range`, as what does not fit `rule` will be.
pub(super) fn fit<T: TryFrom<i64>>(
    field: &'static str,
    number: Option<i64>,
    rule: &'static str,
) -> Result<Option<T>, Error> {
    let fit = |number| T::try_from(number).map_err(|_| out_of_range(field, rule));
    number.map(fit).transpose()
}

pub(super) fn priority(number: Option<i64>) -> Result<Option<i16>, Error> {
    fit("priority", number, "expected 0 to 999")
}

pub(super) fn max_attempts(number: Option<i64>) -> Result<Option<u32>, Error> {
    fit("max_attempts", number, "expected 1 to 100")
}

/// So many seconds.
pub(super) fn seconds(field: &'static str, number: Option<i64>) -> Result<Option<Duration>, Error> {
    let seconds: Option<u64> = fit(field, number, "expected no negative number")?;
    Ok(seconds.map(Duration::from_secs))
}

/// Between both, or what stands for nothing.
pub(super) fn within(
    field: &'static str,
    number: Option<i64>,
    (least, most): (i64, i64),
    absent: i64,
) -> Result<u64, Error> {
    let number = number.unwrap_or(absent);
    if !(least..=most).contains(&number) {
        return Err(out_of_range(field, format!("expected {least} to {most}")));
    }
    Ok(number.unsigned_abs())
}

pub(super) fn out_of_range(field: &'static str, rule: impl Into<String>) -> Error {
    Error::invalid(field, "out_of_range", rule)
}

/// Present, and `null` is refused: a plain `Option` takes it for absent.
pub(super) fn refused<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let null = || {
        cgcg_core::Invalid::new(
            "null_not_allowed",
            "this field cannot be cleared; leave it out",
        )
        .into_serde()
    };
    Option::deserialize(deserializer)?
        .map(Some)
        .ok_or_else(null)
}
