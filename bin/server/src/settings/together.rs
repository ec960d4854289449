//! What is fine in each section, and not together.

use super::Settings;

/// What has less effect than it says.
#[cfg(feature = "tasks")]
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    let (body, tasks) = (settings.limits.body, &settings.tasks);
    let limits = [
        ("payload_limit", tasks.payload_limit),
        ("result_limit", tasks.result_limit),
    ];
    let above = limits.into_iter().filter(|(_, limit)| *limit > body);
    let above = above.map(|(key, limit)| {
        format!(
            "tasks.{key} = {limit} is above limits.body = {body}: over HTTP the latter holds, for the whole request"
        )
    });
    let (ours, of_all) = (tasks.shutdown_grace, settings.http.grace);
    let cut = (ours > of_all).then(|| {
        format!(
            "tasks.shutdown_grace = {ours} is above http.grace = {of_all}: the program ends after the latter, and what \
             runs then begins again once its lease is over; raise http.grace, or lower tasks.shutdown_grace"
        )
    });
    above.chain(cut).collect()
}

#[cfg(not(feature = "tasks"))]
pub(super) fn warnings(_: &Settings) -> Vec<String> {
    Vec::new()
}
