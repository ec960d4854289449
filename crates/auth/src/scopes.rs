//! The rights that administrating auth asks for. One's own sessions and keys need none.

cgcg_core::scopes! {
    /// Send people the link to set a password, see and end their sessions.
    Users = "auth:users";
    /// Read the audit.
    AuditRead = "auth:audit:read";
    /// Read roles and scopes, and who has which role.
    RolesRead = "auth:roles:read";
    /// Change roles, and give or take them.
    RolesWrite = "auth:roles:write";
    /// Manage service accounts and their API keys.
    Services = "auth:services";
}
