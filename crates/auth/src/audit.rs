//! One line of the audit: who did what to whom, from where. It holds ids and words, never a secret, a name or an address
//! of somebody.

use cgcg_core::{Id, Principal, Proof, Session, User};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Device;

/// The row of an entry, for `Id<Audit>`.
pub(crate) enum Audit {}

/// What is to be written, in the transaction of the act itself. See [`crate::Service::audit_in`].
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) action: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) actor: Option<Uuid>,
    pub(crate) subject: Option<Uuid>,
    pub(crate) session: Option<Id<Session>>,
    pub(crate) device: Device,
    pub(crate) detail: Map<String, Value>,
}

impl Entry {
    /// An act that succeeded; `action` as in `session.revoked`.
    pub(crate) fn new(action: &'static str) -> Self {
        Self {
            action,
            outcome: "success",
            actor: None,
            subject: None,
            session: None,
            device: Device::default(),
            detail: Map::new(),
        }
    }

    /// It did not succeed; `outcome` is the code of the error.
    pub(crate) fn refused(mut self, outcome: &'static str) -> Self {
        self.outcome = outcome;
        self
    }

    /// Who acted, and in which session.
    pub(crate) fn by(mut self, principal: &Principal) -> Self {
        self.actor = Some(principal.subject.uuid());
        if let Proof::Session(session) = principal.proof {
            self.session.get_or_insert(session);
        }
        self
    }

    /// Who acted, where there is no principal yet: at a login, at a refresh.
    pub(crate) fn by_user(mut self, user: Id<User>) -> Self {
        self.actor = Some(user.uuid());
        self
    }

    /// Whose account, key or service account.
    pub(crate) fn about(mut self, subject: Uuid) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Which session, where it is another than the one that acts.
    pub(crate) fn session(mut self, session: Id<Session>) -> Self {
        self.session = Some(session);
        self
    }

    /// From where.
    pub(crate) fn from(mut self, device: &Device) -> Self {
        self.device = device.clone();
        self
    }

    /// One more fact: an id, a number, or a word of ours.
    pub(crate) fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }
}
