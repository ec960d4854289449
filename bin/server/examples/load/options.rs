use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures an API server; prints one line of JSON per figure.
#[derive(Parser)]
pub(crate) struct Options {
    /// The server, where no --target is given.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,
    /// `name=url[,key=value]…`, several times: servers measured in turn. Keys: health, me, list, login, register,
    /// refresh (paths), login-kind (form or json-email), token-field, token-header, admin, admin-token, pid.
    #[arg(long)]
    pub(crate) target: Vec<String>,
    /// What to measure, in this order.
    #[arg(long, value_delimiter = ',', default_value = "health,me,list,login")]
    pub(crate) work: Vec<Work>,
    /// Seconds of one round.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Seconds before the first round that are not counted.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warm: f64,
    /// Rounds; a figure is their median.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Connections of health, me, list and refresh.
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Connections of login, register, and the logins of storm.
    #[arg(long, default_value_t = 16)]
    pub(crate) login_connections: usize,
    /// Calls per second of `me` while a storm of logins goes on.
    #[arg(long, default_value_t = 500.0)]
    pub(crate) rate: f64,
    /// Logins that are told to wait (`Retry-After`) do so before they ask again.
    #[arg(long)]
    pub(crate) patient: bool,
    /// Threads of this driver.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// Accounts: user1@example.com to user<N>@example.com.
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,
    /// The password of all of them.
    #[arg(long, default_value = "password-123")]
    pub(crate) password: String,
    /// Register the accounts first.
    #[arg(long)]
    pub(crate) seed: bool,
    /// How many accounts log in before `me` and `list`.
    #[arg(long, default_value_t = 100)]
    pub(crate) tokens: usize,
    /// Form login.
    #[arg(long, default_value = "/api/v1/auth/token")]
    pub(crate) token_path: String,
    /// The caller's account.
    #[arg(long, default_value = "/api/v1/users/me")]
    pub(crate) me: String,
    /// A page of accounts.
    #[arg(long, default_value = "/api/v1/users?limit=50")]
    pub(crate) list: String,
    /// Says that the server lives.
    #[arg(long, default_value = "/health/live")]
    pub(crate) health: String,
    /// Makes an account.
    #[arg(long, default_value = "/api/v1/auth/register")]
    pub(crate) register: String,
    /// Changes a refresh token for the next one.
    #[arg(long, default_value = "/api/v1/auth/refresh")]
    pub(crate) refresh: String,
    /// The token for `list`, where accounts may not.
    #[arg(long)]
    pub(crate) admin_token: Option<String>,
    /// `email:password` of whoever may `list`.
    #[arg(long)]
    pub(crate) admin: Option<String>,
}

impl Options {
    /// The servers, first the one that the others are compared with.
    pub(crate) fn targets(&self) -> Vec<String> {
        if self.target.is_empty() {
            return vec![format!("cgcg={}", self.url)];
        }
        self.target.clone()
    }

    /// Of one round.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Says that the server lives: the cost of HTTP alone.
    Health,
    /// The caller's account.
    Me,
    /// A page of accounts.
    List,
    /// Password logins, in a closed loop.
    Login,
    /// Logins in a closed loop, and `me` at a fixed rate beside them.
    Storm,
    /// New accounts.
    Register,
    /// Each connection changes its refresh token for the next one.
    Refresh,
}

impl Work {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Me => "me",
            Self::List => "list",
            Self::Login => "login",
            Self::Storm => "storm",
            Self::Register => "register",
            Self::Refresh => "refresh",
        }
    }

    pub(crate) fn needs_tokens(&self) -> bool {
        matches!(self, Self::Me | Self::List | Self::Storm)
    }
}
