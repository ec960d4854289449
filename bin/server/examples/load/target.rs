use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use cgcg_core::BoxError;
use serde_json::{Value, json};

use crate::client::Client;
use crate::drive::Crowd;
use crate::options::Options;
use crate::source::InTurn;

/// A server under measurement, with the requests that are sent to it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    host: String,
    keys: BTreeMap<String, String>,
    /// Of accounts.
    pub(crate) tokens: Vec<String>,
    /// Of whoever may list accounts.
    pub(crate) admin: Option<String>,
}

impl Target {
    /// From `name=url[,key=value]…`; what is not given is as in `options`.
    pub(crate) fn new(options: &Options, spec: &str) -> Result<Self, BoxError> {
        let mut keys: BTreeMap<String, String> = [
            ("health", &options.health),
            ("me", &options.me),
            ("list", &options.list),
            ("login", &options.token_path),
            ("register", &options.register),
            ("refresh", &options.refresh),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .into();
        keys.extend(
            options
                .admin
                .clone()
                .map(|admin| ("admin".to_owned(), admin)),
        );
        keys.extend(
            options
                .admin_token
                .clone()
                .map(|token| ("admin-token".to_owned(), token)),
        );
        let mut parts = spec
            .split(',')
            .map(|part| part.split_once('=').ok_or("expected name=url[,key=value]…"));
        let (name, url) = parts.next().ok_or("an empty target")??;
        for part in parts {
            let (key, value) = part?;
            keys.insert(key.replace('_', "-"), value.to_owned());
        }
        let host = url
            .strip_prefix("http://")
            .ok_or("only http:// is measured")?
            .trim_end_matches('/')
            .to_owned();
        let address = host
            .to_socket_addrs()?
            .next()
            .ok_or("the host has no address")?;
        let admin = keys.get("admin-token").cloned();
        Ok(Self {
            name: name.to_owned(),
            address,
            host,
            keys,
            tokens: Vec::new(),
            admin,
        })
    }

    /// Registers the accounts. Those that are there already are fine.
    pub(crate) fn seed(&self, options: &Options) -> Result<(), BoxError> {
        let mut client = Client::new(self.address);
        runtime()?.block_on(async {
            for number in 1..=options.users {
                let status = client
                    .send(&self.register(&email(number), &options.password))
                    .await?;
                if !(200..300).contains(&status) && status != 409 {
                    let body = String::from_utf8_lossy(client.body());
                    return Err(format!(
                        "{}: registering {} gave {status}: {body}",
                        self.name,
                        email(number)
                    )
                    .into());
                }
                if number % 100 == 0 {
                    eprintln!("{}: {number} of {} accounts", self.name, options.users);
                }
            }
            Ok(())
        })
    }

    /// Gets the tokens of accounts, and of the administrator where there is one.
    pub(crate) fn log_in(&mut self, options: &Options) -> Result<(), BoxError> {
        let mut client = Client::new(self.address);
        runtime()?.block_on(async {
            if let (None, Some(admin)) = (&self.admin, self.keys.get("admin")) {
                let (email, password) = admin
                    .split_once(':')
                    .ok_or("expected --admin email:password")?;
                self.admin = Some(self.token(&mut client, email, password).await?);
            }
            for number in spread(options.tokens, options.users) {
                let token = self
                    .token(&mut client, &email(number), &options.password)
                    .await?;
                self.tokens.push(token);
            }
            Ok(())
        })
    }

    async fn token(
        &self,
        client: &mut Client,
        email: &str,
        password: &str,
    ) -> Result<String, BoxError> {
        let status = client.send(&self.login(email, password)).await?;
        let body = || String::from_utf8_lossy(client.body()).into_owned();
        if !(200..300).contains(&status) {
            return Err(format!(
                "{}: the login of {email} gave {status}: {}",
                self.name,
                body()
            )
            .into());
        }
        if let Some(name) = self.keys.get("token-header") {
            return Ok(client
                .header(name)
                .ok_or_else(|| format!("no header {name}"))?
                .to_owned());
        }
        let answer: Value = serde_json::from_slice(client.body())?;
        let field = self
            .keys
            .get("token-field")
            .map_or("access_token", String::as_str);
        Ok(text(&answer, field)
            .ok_or_else(|| format!("no {field} in {}", body()))?
            .to_owned())
    }

    /// First refresh tokens of so many accounts.
    pub(crate) fn refresh_tokens(
        &self,
        options: &Options,
        count: usize,
    ) -> Result<Vec<String>, BoxError> {
        let mut client = Client::new(self.address);
        runtime()?.block_on(async {
            let mut tokens = Vec::new();
            for number in spread(count, options.users) {
                client
                    .send(&self.login(&email(number), &options.password))
                    .await?;
                let answer: Value = serde_json::from_slice(client.body())?;
                tokens.push(
                    text(&answer, "refresh_token")
                        .ok_or("no refresh_token in the login")?
                        .to_owned(),
                );
            }
            Ok(tokens)
        })
    }

    /// The logins that are measured: of up to 500 accounts.
    pub(crate) fn logins(&self, options: &Options) -> Arc<[Vec<u8>]> {
        let numbers = spread(options.users.min(500), options.users);
        numbers
            .map(|number| self.login(&email(number), &options.password))
            .collect()
    }

    /// A `GET` of the path under `key`, once for each token; without any, once without.
    pub(crate) fn gets(&self, key: &str, tokens: &[String]) -> Arc<[Vec<u8>]> {
        let path = self.path(key);
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        if tokens.is_empty() {
            return Arc::new([format!("{head}\r\n").into_bytes()]);
        }
        tokens
            .iter()
            .map(|token| format!("{head}authorization: Bearer {token}\r\n\r\n").into_bytes())
            .collect()
    }

    /// Registers one account.
    pub(crate) fn register(&self, email: &str, password: &str) -> Vec<u8> {
        let mut body = json!({ "email": email, "password": password });
        if self.is_json_email() {
            body["name"] = json!("Load");
        }
        self.post("register", "application/json", &body.to_string())
    }

    /// Uses one refresh token.
    pub(crate) fn refresh(&self, token: &str) -> Vec<u8> {
        self.post(
            "refresh",
            "application/json",
            &json!({ "refresh_token": token }).to_string(),
        )
    }

    fn login(&self, email: &str, password: &str) -> Vec<u8> {
        if self.is_json_email() {
            let body = json!({ "email": email, "password": password });
            return self.post("login", "application/json", &body.to_string());
        }
        let body = format!(
            "grant_type=password&username={}&password={}",
            encode(email),
            encode(password)
        );
        self.post("login", "application/x-www-form-urlencoded", &body)
    }

    fn post(&self, key: &str, media_type: &str, body: &str) -> Vec<u8> {
        let (path, host, length) = (self.path(key), &self.host, body.len());
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {media_type}\r\n");
        format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn path(&self, key: &str) -> &str {
        self.keys.get(key).map_or("/", String::as_str)
    }

    fn is_json_email(&self) -> bool {
        self.keys
            .get("login-kind")
            .is_some_and(|kind| kind == "json-email")
    }

    /// Connections that take these requests in turn.
    pub(crate) fn crowd(&self, requests: &Arc<[Vec<u8>]>, connections: usize) -> Crowd {
        Crowd {
            address: self.address,
            sources: InTurn::over(requests, connections),
            rate: None,
            patient: false,
        }
    }

    /// Resident memory of the process named by the key `pid`, in KiB: now, and the most so far.
    pub(crate) fn memory_kib(&self) -> Option<(u64, u64)> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.keys.get("pid")?)).ok()?;
        let field = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_matches(|letter: char| !letter.is_ascii_digit())
                .parse()
                .ok()
        };
        Some((field("VmRSS:")?, field("VmHWM:")?))
    }
}

/// A text member of a JSON object.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn email(number: usize) -> String {
    format!("user{number}@example.com")
}

/// `count` numbers from 1 to `users`, evenly apart.
fn spread(count: usize, users: usize) -> impl Iterator<Item = usize> {
    let count = count.min(users);
    (0..count).map(move |index| 1 + index * users / count)
}

/// Everything but letters and digits as `%XX`.
fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn runtime() -> Result<tokio::runtime::Runtime, BoxError> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
