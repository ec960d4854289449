//! The text of a refresh token: `cgr1_` and base64url of version, session, generation and MAC.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::{FeatureKeys, Id, Secret, Session};
use uuid::Uuid;

const PREFIX: &str = "cgr1_";
const VERSION: u8 = 1;
/// Version 1, session 16, generation 8, MAC 16.
const BYTES: usize = 41;
const LETTERS: usize = 55;
/// Stands in for the salt of a session that is not there, so that both ways cost the same.
const DUMMY_SALT: [u8; 16] = [0x5a; 16];

/// A refresh token that reads well. Whether it is ours shows [`RefreshToken::is_of`].
pub(crate) struct RefreshToken {
    pub(crate) session: Id<Session>,
    /// Which step of the session's lineage it is.
    pub(crate) generation: i64,
    mac: [u8; 16],
}

impl RefreshToken {
    /// One spelling per token: exact length, no padding, no spare bits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let body = text
            .strip_prefix(PREFIX)
            .filter(|body| body.len() == LETTERS)?;
        let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(body).ok()?.try_into().ok()?;
        let [VERSION, rest @ ..] = bytes else {
            return None;
        };
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (generation, mac) = rest.split_first_chunk::<8>()?;
        Some(Self {
            session: Id::from_uuid(Uuid::from_bytes(*session)),
            generation: i64::try_from(u64::from_be_bytes(*generation)).ok()?,
            mac: mac.try_into().ok()?,
        })
    }

    /// Whether we made it for the session with this salt. In constant time; never where there is no session.
    pub(crate) fn is_of(&self, keys: &FeatureKeys, salt: Option<&[u8]>) -> bool {
        let (session, generation) = parts(self.session, self.generation);
        let genuine = keys.verify_mac(
            &[salt.unwrap_or(&DUMMY_SALT), &session, &generation],
            &self.mac,
        );
        genuine && salt.is_some()
    }

    /// The same text each time: a lost answer can be given again.
    pub(crate) fn write(
        keys: &FeatureKeys,
        salt: &[u8],
        session: Id<Session>,
        generation: i64,
    ) -> Secret<String> {
        let (session, generation) = parts(session, generation);
        let mac = keys.current.mac(&[salt, &session, &generation]);
        let bytes = [&[VERSION][..], &session, &generation, &mac[..16]].concat();
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }
}

fn parts(session: Id<Session>, generation: i64) -> ([u8; 16], [u8; 8]) {
    (session.uuid().into_bytes(), generation.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgcg_core::{MasterKey, Timestamp};

    fn keys() -> FeatureKeys {
        let current = MasterKey::generate().unwrap().derive("refresh").unwrap();
        FeatureKeys {
            current,
            previous: None,
        }
    }

    #[test]
    fn a_token_reads_as_it_was_written() {
        let (keys, session) = (keys(), Id::new(Timestamp::from_micros(1)));
        let text = RefreshToken::write(&keys, &[7; 16], session, 41);
        let token = RefreshToken::parse(text.expose()).unwrap();
        assert_eq!((token.session, token.generation), (session, 41));
        assert!(token.is_of(&keys, Some(&[7; 16])));
        assert!(!token.is_of(&keys, Some(&[8; 16])) && !token.is_of(&keys, None));
    }

    #[test]
    fn no_changed_letter_and_no_other_spelling_passes() {
        let keys = keys();
        let text = RefreshToken::write(&keys, &[7; 16], Id::new(Timestamp::from_micros(1)), 41);
        let letters = text.expose().as_bytes();
        let passes = |bytes: &[u8]| {
            let token = std::str::from_utf8(bytes)
                .ok()
                .and_then(RefreshToken::parse);
            token.is_some_and(|token| token.is_of(&keys, Some(&[7; 16])))
        };
        assert!(passes(letters));
        for at in 0..letters.len() {
            for bit in 0..7 {
                let mut changed = letters.to_vec();
                changed[at] ^= 1 << bit;
                assert!(!passes(&changed), "letter {at}, bit {bit}");
            }
            assert!(!passes(&letters[..at]));
        }
        assert!(!passes(&[letters, b"="].concat()) && !passes(&[letters, b"A"].concat()));
        assert!(!passes(&[b" ", letters].concat()) && !passes(&[b'A'; 10_240]));
    }
}
