use std::net::SocketAddr;
use std::path::PathBuf;

use cgcg_core::{DbSettings, Secret, Span, StaticToken};
use cgcg_web::{FrontSettings, Proxies};
use serde::Deserialize;

use crate::master_key;

/// All sections of this build.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) data: Data,
    pub(crate) http: Http,
    pub(crate) limits: FrontSettings,
    pub(crate) database: DbSettings,
    pub(crate) keys: Keys,
    pub(crate) log: Log,
    #[cfg_attr(
        not(feature = "metrics"),
        expect(dead_code, reason = "there is nothing to listen for")
    )]
    pub(crate) metrics: Metrics,
    #[cfg_attr(
        feature = "auth",
        expect(dead_code, reason = "validated to be empty: machines use auth's keys")
    )]
    pub(crate) access: Access,
    #[cfg(feature = "users")]
    pub(crate) users: cgcg_users::Settings,
    #[cfg(feature = "auth")]
    pub(crate) auth: cgcg_auth::Settings,
    #[cfg(feature = "tasks")]
    pub(crate) tasks: cgcg_tasks::Settings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Data {
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) threads: usize,
    pub(crate) connections: usize,
    pub(crate) header_wait: Span,
    pub(crate) keep_alive: Span,
    pub(crate) grace: Span,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Keys {
    pub(crate) master: Option<Secret<String>>,
    pub(crate) previous: Option<Secret<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Auto,
    Pretty,
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Access {
    pub(crate) static_tokens: Vec<StaticToken>,
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: "data".into() }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            public_url: None,
            trusted_proxies: Vec::new(),
            threads: 0,
            connections: 10_000,
            header_wait: Span::seconds(10),
            keep_alive: Span::seconds(75),
            grace: Span::seconds(30),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Auto,
        }
    }
}

impl Http {
    pub(super) fn validate(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let plain = |url: &String| {
            let rest = url
                .strip_prefix("https://")
                .or_else(|| url.strip_prefix("http://"));
            rest.is_some_and(|rest| {
                !rest.is_empty() && !rest.contains(['?', '#', '@', ' ']) && !rest.ends_with('/')
            })
        };
        if !self.public_url.as_ref().is_none_or(plain) {
            wrong.push((
                "public_url",
                "expected https://host[:port], without a slash at the end".to_owned(),
            ));
        }
        if let Err(entry) = Proxies::parse(&self.trusted_proxies) {
            wrong.push((
                "trusted_proxies",
                format!("{entry:?} is no address and no network like 10.0.0.0/8"),
            ));
        }
        if !(1..=1_000_000).contains(&self.connections) {
            wrong.push(("connections", "expected 1 to 1000000".to_owned()));
        }
        for (key, span, least, most) in [
            (
                "header_wait",
                self.header_wait,
                Span::seconds(1),
                Span::minutes(5),
            ),
            (
                "keep_alive",
                self.keep_alive,
                Span::seconds(1),
                Span::minutes(60),
            ),
            ("grace", self.grace, Span::seconds(1), Span::minutes(10)),
        ] {
            if !(least..=most).contains(&span) {
                wrong.push((key, format!("expected {least} to {most}")));
            }
        }
        if self.threads > 1_024 {
            wrong.push(("threads", "expected 0 (one per core) to 1024".to_owned()));
        }
        wrong
    }
}

impl Keys {
    pub(super) fn validate(&self) -> Vec<(&'static str, String)> {
        let given = [("master", &self.master), ("previous", &self.previous)];
        let unfit = given.into_iter().filter_map(|(key, text)| {
            let unfit = master_key::decode(text.as_ref()?.expose()).err()?;
            Some((key, unfit.to_string()))
        });
        unfit.collect()
    }
}

impl Log {
    pub(super) fn validate(&self) -> Vec<(&'static str, String)> {
        let filter = self.level.parse::<tracing_subscriber::filter::EnvFilter>();
        let detail = |failure| {
            format!("{failure}; expected error, warn, info, debug, trace, or cgcg_auth=debug,info")
        };
        filter
            .err()
            .map(|failure| ("level", detail(failure)))
            .into_iter()
            .collect()
    }
}

impl Access {
    /// With auth in the build, machines use its API keys, and a second door beside it would be forgotten there.
    pub(super) fn validate(&self) -> Vec<(&'static str, String)> {
        if cfg!(feature = "auth") && !self.static_tokens.is_empty() {
            return vec![(
                "static_tokens",
                "only for builds without the Cargo feature `auth`".to_owned(),
            )];
        }
        let clock = std::sync::Arc::new(cgcg_core::SystemClock::default());
        let made = cgcg_core::StaticTokens::new(&self.static_tokens, clock);
        made.err()
            .map(|wrong| ("static_tokens", wrong.to_string()))
            .into_iter()
            .collect()
    }
}
