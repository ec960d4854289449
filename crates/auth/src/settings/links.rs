use serde::Deserialize;

/// Where links in mail lead, with `#<token>` behind. The built-in pages where absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// A page that posts the token to `/auth/email/verify`.
    pub verify: Option<String>,
    /// A page that asks for a password and posts it with the token to `/auth/password/reset`.
    pub reset: Option<String>,
    /// A page that makes the first administrator by `/auth/setup`.
    pub setup: Option<String>,
}

impl Links {
    /// All that is wrong, as (key, what to do).
    pub(super) fn validate(&self) -> Vec<(&'static str, String)> {
        let links = [
            ("links.verify", &self.verify),
            ("links.reset", &self.reset),
            ("links.setup", &self.setup),
        ];
        let wrong = links
            .into_iter()
            .filter(|(_, link)| !link.as_deref().is_none_or(is_page));
        let mend = "expected https://host/page, without a `#`";
        wrong.map(|(key, _)| (key, mend.to_owned())).collect()
    }
}

fn is_page(link: &str) -> bool {
    let rest = link
        .strip_prefix("https://")
        .or_else(|| link.strip_prefix("http://"));
    let plain = |rest: &str| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"#\"<>".contains(&byte))
    };
    rest.is_some_and(plain)
}
