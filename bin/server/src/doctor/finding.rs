use std::fmt;

use serde::Serialize;

/// What one look found.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// What was looked at: `database`.
    pub(crate) check: &'static str,
    pub(crate) state: State,
    /// For people.
    pub(crate) found: String,
    /// What to do, where there is something to do.
    pub(crate) mend: Option<String>,
}

/// From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Ok, found.into())
    }

    pub(crate) fn warn(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Warn, found.into())
    }

    pub(crate) fn fail(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Fail, found.into())
    }

    /// With what to do about it.
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    fn new(check: &'static str, state: State, found: String) -> Self {
        Self {
            check,
            state,
            found,
            mend: None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}
