use cgcg_core::{Id, Invalid, Session, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use crate::audit::Audit;

/// One line of the audit: who did what to whom, from where. It holds no secret, and no name of anybody.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its id.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "uuid"))]
    pub id: Uuid,
    /// When; of a counted line the first time.
    pub at: Timestamp,
    /// What was done, as in `session.revoked`.
    pub action: String,
    /// `success`, or the code of the error.
    pub outcome: String,
    /// How often: failed logins of one name are one line a minute.
    pub count: i64,
    /// Who acted: an account, a service account, or the nil id for the command line. `null` where nobody was known.
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, format = "uuid", required = true))]
    pub actor_id: Option<Uuid>,
    /// Whose account, service account or key it was about.
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, format = "uuid", required = true))]
    pub subject_id: Option<Uuid>,
    /// Which session.
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, format = "uuid", required = true))]
    pub session_id: Option<Uuid>,
    /// The address of the client; forgotten with the account.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub ip: Option<String>,
    /// What the client said it is; forgotten with the account.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub user_agent: Option<String>,
    /// The request, as the log has it.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub request_id: Option<String>,
    /// More facts: ids, numbers and words of ours.
    #[cfg_attr(feature = "router", schema(value_type = Object))]
    pub detail: Map<String, Value>,
}

/// Which lines; all of it must fit.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// About this account, service account or key.
    pub subject: Option<Uuid>,
    /// Done by this account or service account.
    pub actor: Option<Uuid>,
    /// Exactly this action.
    pub action: Option<AuditAction>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

/// The name of an action: at most 64 bytes, as in `login.failure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditAction(String);

impl AuditAction {
    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for AuditAction {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'_' | b'.');
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        let rule = "expected the name of an action, as in login.failure";
        Err(Invalid::new("value_unknown", rule))
    }
}

impl<'de> Deserialize<'de> for AuditAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(Invalid::into_serde)
    }
}

/// A line as it is stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct AuditInDb {
    pub(crate) id: Id<Audit>,
    pub(crate) at: Timestamp,
    action: String,
    outcome: String,
    count: i64,
    actor_id: Option<Uuid>,
    subject_id: Option<Uuid>,
    session_id: Option<Id<Session>>,
    ip: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    detail: Json<Map<String, Value>>,
}

impl From<AuditInDb> for AuditEntry {
    fn from(row: AuditInDb) -> Self {
        Self {
            id: row.id.uuid(),
            at: row.at,
            action: row.action,
            outcome: row.outcome,
            count: row.count,
            actor_id: row.actor_id,
            subject_id: row.subject_id,
            session_id: row.session_id.map(Id::uuid),
            ip: row.ip,
            user_agent: row.user_agent,
            request_id: row.request_id,
            detail: row.detail.0,
        }
    }
}
