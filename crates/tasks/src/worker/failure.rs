use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Display};
use std::time::Duration;

/// The most that is kept of what a handler tells, in bytes.
const TEXT: usize = 1_024;

/// Why an attempt was no success, and what comes next.
///
/// `?` makes one of any error, with its causes as text: the task runs again. The text is stored with the task and
/// shown to whoever may read it, so it holds no secrets. This is no `Error` itself, or `?` could not take them all.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskError {
    pub(super) then: Then,
    pub(super) code: Cow<'static, str>,
    pub(super) text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// After the back-off where there is no time.
    Retry(Option<Duration>),
    Dead,
    Snooze(Duration),
    Cancelled,
}

impl TaskError {
    /// The task runs again after its back-off, as long as it has attempts left.
    pub fn retry(error: impl Display) -> Self {
        Self::new(Then::Retry(None), error)
    }

    /// As [`TaskError::retry`], after so long: what the other side asked for.
    pub fn retry_after(time: Duration, error: impl Display) -> Self {
        Self::new(Then::Retry(Some(time)), error)
    }

    /// Never better: to the dead letters.
    pub fn dead(error: impl Display) -> Self {
        Self::new(Then::Dead, error)
    }

    /// Not yet: the task runs again after so long, and this was no attempt.
    pub const fn snooze(time: Duration) -> Self {
        Self {
            then: Then::Snooze(time),
            code: Cow::Borrowed("snoozed"),
            text: None,
        }
    }

    /// The handler stopped because it was asked to.
    pub const fn cancelled() -> Self {
        Self {
            then: Then::Cancelled,
            code: Cow::Borrowed("cancelled"),
            text: None,
        }
    }

    /// With a code of its own instead of `error`, for whoever sorts dead letters: lower-case words joined by `_`.
    #[must_use]
    pub fn code(self, code: impl Into<Cow<'static, str>>) -> Self {
        let code = match code.into() {
            Cow::Owned(code) => Cow::Owned(cut(code)),
            code => code,
        };
        Self { code, ..self }
    }

    fn new(then: Then, error: impl Display) -> Self {
        Self {
            then,
            code: Cow::Borrowed("error"),
            text: Some(cut(error.to_string())),
        }
    }
}

impl<E: Error> From<E> for TaskError {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause
            && text.len() < TEXT
        {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::retry(text)
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("then", &self.then)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// PostgreSQL cannot store the character NUL, not even escaped in JSON.
fn cut(text: String) -> String {
    let mut text = text.replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::{TEXT, TaskError};

    #[test]
    fn a_long_text_is_cut_between_two_letters_and_nul_is_replaced() {
        let text = TaskError::retry(format!("\0{}", "ä".repeat(TEXT)))
            .text
            .unwrap();
        assert!(text.len() <= TEXT && text.len() > TEXT - 3);
        assert!(text.starts_with("\u{fffd}ä") && text.ends_with('ä'));
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let wrong = serde_json::from_str::<u8>("x").unwrap_err();
        let error = TaskError::from(std::io::Error::other(wrong));
        assert!(error.text.unwrap().contains("expected value"));
    }
}
