use cgcg_core::{Id, Invalid, Secret, User};
use serde::Deserialize;

/// An account of another system. `Debug` shows no hash.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportUser {
    /// To log in with, and where mail goes.
    pub email: String,
    /// A second name to log in with.
    #[serde(default)]
    pub username: Option<String>,
    /// For people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// BCP 47, as in `de-AT`.
    #[serde(default)]
    pub locale: Option<String>,
    /// As passlib or Django stored it. None where the account has no password, as Django's `!…` says too.
    #[serde(default)]
    pub password_hash: Option<Secret<String>>,
    /// Whether the person has proved to read the address.
    #[serde(default)]
    pub email_verified: bool,
    /// Whether nobody may log in with the password before it is changed.
    #[serde(default)]
    pub must_change: bool,
    /// Roles beside those of every new account.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl ImportUser {
    /// The fields, as files name them.
    pub const FIELDS: [&str; 8] = [
        "email",
        "username",
        "display_name",
        "locale",
        "password_hash",
        "email_verified",
        "must_change",
        "roles",
    ];
}

/// What became of an [`ImportUser`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// There is an account now.
    Made(Id<User>),
    /// There was one with this e-mail; it stays as it is.
    Present,
    /// It cannot be made; `field` is wrong.
    Refused {
        /// As in [`ImportUser::FIELDS`].
        field: &'static str,
        /// What would fit. It never repeats the value.
        invalid: Invalid,
    },
}
