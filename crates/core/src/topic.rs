/// A family of messages that a feature publishes, and who may touch it over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// Which topics: `users.*`.
    pub filter: &'static str,
    /// Who may read; `None`: code only.
    pub read_scope: Option<&'static str>,
    /// Who may publish; `None`: code only.
    pub publish_scope: Option<&'static str>,
    /// JSON Schema of the payload.
    pub schema: Option<&'static str>,
    /// One line for people.
    pub about: &'static str,
}
