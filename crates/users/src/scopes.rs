//! The rights that administrating accounts asks for. One's own account needs none.

cgcg_core::scopes! {
    /// Read everybody's account.
    Read = "users:read";
    /// Create, change, disable and enable accounts.
    Write = "users:write";
    /// Delete accounts.
    Delete = "users:delete";
}
