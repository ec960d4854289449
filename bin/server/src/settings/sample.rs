use cgcg_core::DbSettings;
use cgcg_web::FrontSettings;

const HEAD: &str = "\
# Settings of CGCG. Every line that is commented out shows a default.
# Each can be set in the environment as well: http.listen is CGCG_HTTP__LISTEN.
# Durations: 500ms, 30s, 10m, 24h, 7d. Sizes: bytes, or 16KiB, 1MiB, 1GiB.
# A secret may stand in a file of its own: database.url_file, keys.master_file, keys.previous_file,
# auth.mail.smtp.password_file, auth.bootstrap.admin_password_file.
";

const DATA: &str = "\
# Folder of the database file and the master key. Made at the first start, for its owner only.
# dir = \"data\"
";

const HTTP: &str = "\
# Address and port. Port 0 takes a free one.
# listen = \"127.0.0.1:8000\"
# How people reach the server, where a proxy stands before it: \"https://api.example.org\".
# Links and the issuer of tokens are made of it, never of what a request says.
# public_url =
# Proxies whose X-Forwarded-For is believed: addresses or networks, as in [\"10.0.0.0/8\"].
# trusted_proxies = []
# Threads that answer requests; 0 is one per core.
# threads = 0
# Connections at once.
# connections = 10000
# How long a client may take to send the head of a request. 1s to 5m.
# header_wait = \"10s\"
# How long an idle connection stays open. 1s to 60m.
# keep_alive = \"75s\"
# How long requests may go on after the server was told to stop. 1s to 10m.
# grace = \"30s\"
";

const KEYS: &str = "\
# The key that all others are derived from: 32 bytes in base64, as `openssl rand -base64 32` prints them.
# All nodes of one database need the same. Without it, <data.dir>/master.key is used, and made at the first start.
# master =
# The key before that one, while it is being changed: it opens and checks what was made with it, and makes nothing.
# With several nodes, give all of them the new key here first, then exchange the two. Then run `cgcg keys rotate-master`,
# and take it away once auth.sessions.idle and 7 days have passed: what it made has ended by then, or was made anew.
# Counters of failed logins and of mail begin anew with a new key.
# previous =
";

const LOG: &str = "\
# error, warn, info, debug or trace; or per crate: \"cgcg_auth=debug,info\".
# level = \"info\"
# auto is pretty on a terminal and JSON elsewhere; or pretty, or json.
# format = \"auto\"
";

const METRICS: &str = "\
# A second address that serves /metrics to anybody who reaches it. Without it, /metrics needs the scope server:read.
# listen =
";

const ACCESS: &str = "\
# Tokens for builds without auth; `cgcg admin token` prints a block to paste here.
# static_tokens = []
";

/// A settings file that says everything and changes nothing.
pub(crate) fn sample() -> String {
    let sections = [
        ("data", DATA),
        ("http", HTTP),
        ("limits", FrontSettings::SAMPLE),
        ("database", DbSettings::SAMPLE),
        ("keys", KEYS),
        ("log", LOG),
        ("metrics", METRICS),
        ("access", ACCESS),
        #[cfg(feature = "users")]
        ("users", cgcg_users::Settings::SAMPLE),
        #[cfg(feature = "auth")]
        ("auth", cgcg_auth::Settings::SAMPLE),
        #[cfg(feature = "tasks")]
        ("tasks", cgcg_tasks::Settings::SAMPLE),
    ];
    let sections = sections.map(|(name, body)| format!("\n[{name}]\n{body}"));
    HEAD.to_owned() + &sections.concat()
}

/// The sample with its defaults in force: what stands there without a value is left out.
pub(super) fn defaults() -> String {
    let sample = sample();
    let lines = sample
        .lines()
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(setting) => {
                let (key, value) = setting.split_once(" =")?;
                let is_key = key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || b"_.0123456789".contains(&byte));
                (is_key && !value.is_empty()).then_some(setting)
            }
            None => line.starts_with('[').then_some(line),
        });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::defaults;
    use crate::settings::{Loaded, Settings};

    #[test]
    fn the_sample_says_the_defaults() {
        let loaded = Loaded::of(Figment::from(Toml::string(&defaults())))
            .unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(
            format!("{:#?}", loaded.settings),
            format!("{:#?}", Settings::default())
        );
    }
}
