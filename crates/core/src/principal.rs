use std::fmt;

use uuid::Uuid;

use crate::{ApiKey, Grants, Id, ServiceAccount, Session, Tenant, Timestamp, User};

/// Who acts, how that was proved, and what they may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Who.
    pub subject: Subject,
    /// By which credential.
    pub proof: Proof,
    /// Effective scopes: what the subject has, narrowed to what the credential has.
    pub grants: Grants,
    /// When a person last gave proof; `None` for machines.
    pub logged_in_at: Option<Timestamp>,
    /// How many factors that proof had.
    pub factors: u8,
    /// End of the session or key, not of the token that carried it. Streams end here at the latest.
    pub valid_until: Timestamp,
    /// Who acts for the subject, where it is somebody else.
    pub actor: Option<Subject>,
    /// The organisation.
    pub tenant: Option<Id<Tenant>>,
}

impl Principal {
    /// The command line acts: whoever may read the data folder may do everything.
    pub fn operator() -> Self {
        Self {
            subject: Subject::Operator,
            proof: Proof::Shell,
            grants: Grants::all(),
            logged_in_at: None,
            factors: 0,
            valid_until: Timestamp::MAX,
            actor: None,
            tenant: None,
        }
    }

    /// The person who acts; `None` for machines and the command line.
    pub const fn user(&self) -> Option<Id<User>> {
        match self.subject {
            Subject::User(id) => Some(id),
            Subject::Service(_) | Subject::Operator => None,
        }
    }
}

/// Who acts. Its text is the id, which other features store as owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person.
    User(Id<User>),
    /// A machine.
    Service(Id<ServiceAccount>),
    /// The command line.
    Operator,
}

impl Subject {
    /// The id without its kind; nil for the operator.
    pub const fn uuid(&self) -> Uuid {
        match self {
            Self::User(id) => id.uuid(),
            Self::Service(id) => id.uuid(),
            Self::Operator => Uuid::nil(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid().fmt(f)
    }
}

/// By which credential a [`Principal`] is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// A login.
    Session(Id<Session>),
    /// A long-lived key.
    ApiKey(Id<ApiKey>),
    /// A token from the settings.
    StaticToken,
    /// The shell of the server.
    Shell,
    /// A link that was mailed to them: good for what the link is for, and for nothing else.
    Link,
}
