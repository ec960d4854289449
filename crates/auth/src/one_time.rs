//! The text of a one-time token: `cgo1_` and base64url of purpose, id and MAC. The database holds no part of the MAC.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::{FeatureKeys, Id, Secret};
use uuid::Uuid;

const PREFIX: &str = "cgo1_";
/// Purpose 1, id 16, MAC 16.
const BYTES: usize = 33;
const LETTERS: usize = 44;
const DUMMY_SALT: [u8; 16] = [0x5a; 16];

/// The row of a one-time token, for `Id<OneTime>`.
pub(crate) enum OneTime {}

/// What a one-time token is good for. The number stands in the token and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To make the first administrator.
    Setup = 1,
    /// To prove that somebody reads an e-mail address.
    Verify = 2,
    /// To set a new password in place of a forgotten one.
    Reset = 3,
    /// To set the first password of an account that an administrator made, or one that must be changed.
    SetPassword = 4,
    /// To move an account to another e-mail address.
    EmailChange = 5,
}

impl Purpose {
    /// As it is stored.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::SetPassword => "set_password",
            Self::EmailChange => "email_change",
        }
    }

    /// As it was stored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [
            Self::Setup,
            Self::Verify,
            Self::Reset,
            Self::SetPassword,
            Self::EmailChange,
        ];
        all.into_iter().find(|purpose| purpose.as_str() == text)
    }

    /// How long a mailed token is good: shorter where it is worth more.
    pub(crate) const fn life(self) -> Duration {
        let minutes = match self {
            Self::Setup | Self::Reset => 30,
            Self::EmailChange => 2 * 60,
            Self::Verify => 24 * 60,
            Self::SetPassword => 7 * 24 * 60,
        };
        Duration::from_secs(minutes * 60)
    }
}

/// A one-time token that reads well.
pub(crate) struct OneTimeToken {
    pub(crate) id: Id<OneTime>,
    purpose: Purpose,
    mac: [u8; 16],
}

impl OneTimeToken {
    /// As [`OneTimeToken::parse`], for any of several purposes.
    pub(crate) fn parse_any(text: &str, purposes: &[Purpose]) -> Option<Self> {
        purposes
            .iter()
            .find_map(|purpose| Self::parse(text, *purpose))
    }

    /// `None` also where it is for another purpose.
    pub(crate) fn parse(text: &str, purpose: Purpose) -> Option<Self> {
        let body = text
            .strip_prefix(PREFIX)
            .filter(|body| body.len() == LETTERS)?;
        let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(body).ok()?.try_into().ok()?;
        let (first, rest) = bytes.split_first()?;
        let (id, mac) = rest.split_first_chunk::<16>()?;
        let token = Self {
            id: Id::from_uuid(Uuid::from_bytes(*id)),
            purpose,
            mac: mac.try_into().ok()?,
        };
        (*first == purpose as u8).then_some(token)
    }

    /// What it is for, as it says itself.
    pub(crate) const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Whether we made it for the row with this salt. In constant time; never where there is no row.
    pub(crate) fn is_of(&self, keys: &FeatureKeys, salt: Option<&[u8]>) -> bool {
        let id = self.id.uuid().into_bytes();
        let genuine = keys.verify_mac(
            &[salt.unwrap_or(&DUMMY_SALT), &[self.purpose as u8], &id],
            &self.mac,
        );
        genuine && salt.is_some()
    }

    pub(crate) fn write(
        keys: &FeatureKeys,
        salt: &[u8],
        purpose: Purpose,
        id: Id<OneTime>,
    ) -> Secret<String> {
        let id = id.uuid().into_bytes();
        let mac = keys.current.mac(&[salt, &[purpose as u8], &id]);
        let bytes = [&[purpose as u8][..], &id, &mac[..16]].concat();
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }
}
