use cgcg_core::{Email, Secret};
use serde::Deserialize;

/// The first administrator of a server at which nobody sits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bootstrap {
    /// Their address. Where there is no administrator yet, a start makes this one; afterwards nothing here has an effect.
    pub admin_email: Option<Email>,
    /// Their password. Either it or its hash goes with the address.
    pub admin_password: Option<Secret<String>>,
    /// A hash of their password, in any form that an import takes.
    pub admin_password_hash: Option<Secret<String>>,
    /// Whether the first login has to set another password.
    pub must_change: bool,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            admin_email: None,
            admin_password: None,
            admin_password_hash: None,
            must_change: true,
        }
    }
}

impl Bootstrap {
    /// All that is wrong, as (key, what to do).
    pub(super) fn validate(&self) -> Vec<(&'static str, String)> {
        let passwords = [&self.admin_password, &self.admin_password_hash];
        let given = passwords.into_iter().flatten().count();
        let mend = match (&self.admin_email, given) {
            (None, 0) | (Some(_), 1) => return Vec::new(),
            (None, _) => "a password is given, and no address that it belongs to",
            (Some(_), 0) => {
                "expected a password with it: bootstrap.admin_password_file, or bootstrap.admin_password_hash"
            }
            (Some(_), _) => "a password and a hash are given; keep one",
        };
        vec![("bootstrap.admin_email", mend.to_owned())]
    }
}
