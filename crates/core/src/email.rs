use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Invalid;

/// An address that mail can be sent to: a local part in ASCII dot-atom form (RFC 5322), a domain in ASCII (IDNA).
///
/// It keeps the spelling of the local part, which is what mail goes to. Two addresses are the same where their
/// [`Email::canonical`] forms are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// As it was given, with the domain in lower-case ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What addresses are compared by: all in lower case.
    pub fn canonical(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for Email {
    type Err = Invalid;

    /// At most 254 bytes, 64 of them before the `@`. A local part that is not ASCII is refused: letters that only
    /// look alike would make several accounts of one address.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(
                "email_invalid",
                "expected an e-mail address of at most 254 bytes",
            )
        };
        let text = text.trim();
        let (local, domain) = text
            .rsplit_once('@')
            .filter(|_| text.len() <= 1_024)
            .ok_or_else(wrong)?;
        let atom = |atom: &str| !atom.is_empty() && atom.bytes().all(is_atom);
        if local.len() > 64 || !local.split('.').all(atom) {
            return Err(wrong());
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| wrong())?;
        if domain.is_empty()
            || domain.ends_with('.')
            || domain.parse::<std::net::Ipv4Addr>().is_ok()
        {
            return Err(wrong());
        }
        let address = format!("{local}@{domain}");
        if address.len() > 254 {
            Err(wrong())
        } else {
            Ok(Self(address))
        }
    }
}

/// `atext` of RFC 5322.
fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// A name to log in with: `[a-z0-9][a-z0-9_.-]{2,31}`. It has no `@`, so it never equals an e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let first = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let all = text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte)
        });
        if first && all && (3..=32).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        let rule = "expected 3 to 32 of a-z, 0-9, _ . -, beginning with a letter or digit";
        Err(Invalid::new("username_invalid", rule))
    }
}

/// What a person types to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// It holds an `@`.
    Email(Email),
    /// It does not.
    Username(Username),
}

impl Login {
    /// What logins are compared by.
    pub fn canonical(&self) -> String {
        match self {
            Self::Email(email) => email.canonical(),
            Self::Username(name) => name.as_str().to_owned(),
        }
    }
}

impl FromStr for Login {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.contains('@') {
            return text.parse().map(Self::Email);
        }
        text.to_ascii_lowercase().parse().map(Self::Username)
    }
}

/// Text in JSON and in the database, parsed on the way in.
macro_rules! text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(Invalid::into_serde)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }
    )+};
}

text!(Email, Username);

#[cfg(test)]
mod tests {
    use super::{Email, Login, Username};

    #[test]
    fn l9_spellings_of_one_address_have_one_canonical_form() {
        for text in [
            "Mike@Example.ORG",
            " mike@example.org\n",
            "MIKE@EXAMPLE.org",
        ] {
            assert_eq!(
                text.parse::<Email>().unwrap().canonical(),
                "mike@example.org",
                "{text}"
            );
        }
        let bücher: Email = "a@Bücher.example".parse().unwrap();
        assert_eq!(bücher.as_str(), "a@xn--bcher-kva.example");
        assert_eq!(bücher, "a@xn--bcher-kva.example".parse().unwrap());
        assert_eq!(
            "Mike@Example.ORG".parse::<Email>().unwrap().as_str(),
            "Mike@example.org"
        );
    }

    #[test]
    fn l9_what_is_no_address_or_looks_like_another_is_refused() {
        let long = format!("{}@example.org", "a".repeat(300));
        let long_domain = format!("a@{}org", "abcdefgh.".repeat(30));
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "plain",
            "a b@c.org",
            ".a@b.org",
            "a.@b.org",
            "a..b@c.org",
            "mıke@example.org",
            "mike@example.org.",
            "m\u{200b}ike@example.org",
            "a@b@c.org",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@-b.org",
            "a@b_c.org",
            "a@b.org\r\nBcc: x",
            "a\0@b.org",
            "\"a\"@b.org",
            &long,
            &long_domain,
        ] {
            assert!(text.parse::<Email>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn l10_a_user_name_is_never_an_address() {
        assert!(matches!("ada@example.org".parse(), Ok(Login::Email(_))));
        assert!(matches!("Ada".parse(), Ok(Login::Username(_))));
        for text in ["ab", "a@b", "-ab", "a b", "ADA", "ünal", &"a".repeat(33)] {
            assert!(text.parse::<Username>().is_err(), "{text:?}");
        }
    }
}
