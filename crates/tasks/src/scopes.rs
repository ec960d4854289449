//! The rights that the routes ask for. Whoever lacks `tasks:admin` sees and cancels their own tasks alone.

cgcg_core::scopes! {
    /// Create tasks.
    Create = "tasks:create";
    /// Read your own tasks; with `tasks:admin` all of them.
    Read = "tasks:read" for user;
    /// Cancel your own tasks; with `tasks:admin` any.
    Cancel = "tasks:cancel" for user;
    /// Take tasks and work on them.
    Work = "tasks:work";
    /// Read and change everybody's tasks, queues and schedules.
    Admin = "tasks:admin";
}
