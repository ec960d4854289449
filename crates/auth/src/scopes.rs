//! The rights that administrating access asks for. One's own sessions and keys need none.

cgcg_core::scopes! {
    /// Read and end everybody's sessions.
    Users = "auth:users";
    /// Read the audit.
    AuditRead = "auth:audit:read";
}
