use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use cgcg_core::Invalid;

/// Which handler does a task: `mail.send`. 1 to 128 letters, digits and `._:-`, written by hand: it outlives every
/// name in the code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(Cow<'static, str>);

/// Where tasks wait: `default`. 1 to 64 letters, digits and `._:-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueName(Cow<'static, str>);

fn word(
    text: Cow<'static, str>,
    most: usize,
    code: &'static str,
) -> Result<Cow<'static, str>, Invalid> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if (1..=most).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text);
    }
    Err(Invalid::new(
        code,
        format!("expected 1 to {most} ASCII letters, digits and ._:-"),
    ))
}

impl Name {
    /// # Errors
    /// `name_invalid`.
    pub fn parse(text: impl Into<Cow<'static, str>>) -> Result<Self, Invalid> {
        word(text.into(), 128, "name_invalid").map(Self)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl QueueName {
    /// # Errors
    /// `queue_invalid`.
    pub fn parse(text: impl Into<Cow<'static, str>>) -> Result<Self, Invalid> {
        word(text.into(), 64, "queue_invalid").map(Self)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for QueueName {
    fn default() -> Self {
        Self(Cow::Borrowed("default"))
    }
}

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text.to_owned())
    }
}

impl FromStr for QueueName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text.to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
