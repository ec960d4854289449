use cgcg_core::Size;
use serde::{Deserialize, Serialize};

/// The section `users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether an account may have a user name beside its e-mail: `optional` or `off`. With `off`, names that are
    /// there already stay until they are cleared.
    pub usernames: Usernames,
    /// The most that `profile` and `app_data` of an account may hold, each, as JSON without blanks. 2B to 1MiB.
    pub profile_bytes: Size,
}

/// Whether accounts have user names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Usernames {
    /// Those who want one.
    Optional,
    /// Nobody gets one.
    Off,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            usernames: Usernames::Optional,
            profile_bytes: Size::kib(8),
        }
    }
}

impl Settings {
    /// The section of a settings file, with every default.
    pub const SAMPLE: &str = "\
# Whether an account may have a user name beside its e-mail: optional or off. With off, names that are there already
# stay until they are cleared.
# usernames = \"optional\"
# The most that `profile` and `app_data` of an account may hold, each, as JSON without blanks. 2B to 1MiB.
# profile_bytes = \"8KiB\"
";

    /// All that is wrong, as (key, what to do).
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        // An empty object needs two.
        if !(2..=Size::mib(1).bytes()).contains(&self.profile_bytes.bytes()) {
            wrong.push(("profile_bytes", "expected 2B to 1MiB".to_owned()));
        }
        wrong
    }
}
