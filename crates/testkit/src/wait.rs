use std::io::Write;
use std::time::Duration;

/// Runs a test on a tokio runtime of two threads.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(test)
}

/// Says that a test did not run because of `why`.
///
/// # Panics
/// With `CI=true` in the environment: there, what is missing is a failure.
pub fn skip(why: &str) {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings")]
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "{why}, and CI=true: nothing may be skipped");
    // Straight to the terminal: what a passing test prints by macro is not shown.
    let test = std::thread::current();
    let name = test.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr().lock(), "skipped: {name}: {why}");
}

/// Polls until `holds`, for what only another thread or process can make true.
///
/// # Panics
/// After 20 seconds, naming `what` was waited for.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let poll = async {
        while !holds().await {
            pause().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), poll).await;
    assert!(in_time.is_ok(), "not within 20 s: {what}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "polling another process takes real time"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
