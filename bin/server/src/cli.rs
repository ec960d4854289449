#[cfg(feature = "tasks")]
mod tasks;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "tasks")]
pub(crate) use tasks::{Bench, Limits, Many, Pick, ScheduleVerb, Tasks, TasksVerb};

/// A modular HTTP API backend: accounts, sessions, tokens and background tasks, on SQLite or PostgreSQL.
///
/// Without a command it serves. A first start makes ./data with a database and a key, and prints a link to make the
/// first administrator. Settings: built-in defaults, then cgcg.toml, then `CGCG_SECTION__KEY` in the environment,
/// then options.
#[derive(Debug, Parser)]
#[command(name = "cgcg", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  cgcg                                                    serve on 127.0.0.1:8000 with SQLite in ./data
  CGCG_DATABASE__URL=postgres://localhost/app cgcg        the same on PostgreSQL
  cgcg config sample > cgcg.toml                          every setting with its default
  cgcg admin create --email ada@example.org --password-stdin < password.txt";

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Settings file [default: cgcg.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the database file and the master key (setting data.dir)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one (setting http.listen)
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until told to stop (the default)
    Serve {
        /// Which part of the work this process does
        #[arg(long, value_enum, default_value_t = Role::All)]
        role: Role,
    },
    /// Do background work only: `serve --role worker`
    Worker,
    /// Bring the schema of the database up to date
    Migrate,
    /// Administrators and their credentials
    #[command(subcommand)]
    Admin(Admin),
    /// Accounts
    #[cfg(feature = "auth")]
    #[command(subcommand)]
    Users(Users),
    /// Background work: look at it, and act on it, whether a server runs or not
    #[cfg(feature = "tasks")]
    #[command(subcommand)]
    Tasks(Tasks),
    /// The keys that sign access tokens, and the master key
    #[command(subcommand)]
    Keys(Keys),
    /// Look at the settings
    #[command(subcommand)]
    Config(Config),
    /// Look whether all is well, and say what to do where it is not; changes nothing
    ///
    /// Settings, data folder and disk, database, clock, schema, master key, and what the features of this build need. Fails
    /// where something does.
    Doctor {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Print the OpenAPI document of this build
    Openapi,
    /// Print every route of this build, and what it asks for
    Routes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// HTTP only
    Api,
    /// Background work only
    Worker,
    /// Both
    All,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Make an administrator; the password comes from the standard input
    #[cfg(feature = "auth")]
    Create {
        /// E-mail to log in with
        #[arg(long)]
        email: String,
        /// Name for people
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Read the password from the first line of the standard input (the only way to give it)
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Print a fresh set-up link, while there is no administrator
    #[cfg(feature = "auth")]
    Link,
    /// Print a link to set a new password, good for 30 minutes: for servers that send no mail
    #[cfg(feature = "auth")]
    ResetLink {
        /// E-mail of the account
        email: String,
    },
    /// Give an account one more role
    #[cfg(feature = "auth")]
    Grant {
        /// E-mail or user name of the account
        login: String,
        /// Name of the role: `admin`, `user`, or one that was made
        role: String,
    },
    /// Make a static token: prints it once, and the block to paste
    #[cfg(not(feature = "auth"))]
    Token {
        /// Who will use it
        #[arg(long)]
        name: String,
        /// What it may do; repeat for more, `*` for everything
        #[arg(long = "scope", required = true, value_name = "SCOPE")]
        scopes: Vec<String>,
    },
}

#[cfg(feature = "auth")]
#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Take over accounts of another system with their password hashes (passlib, Django)
    ///
    /// The fields are `email`, `username`, `display_name`, `locale`, `password_hash`, `email_verified`, `must_change`
    /// and `roles`; all but the first may be absent. A file that ends in .csv has their names in its first line, and
    /// blanks part the roles; any other file has one JSON object on each line. Accounts that are there stay as they
    /// are, so an import that was cut short can be repeated.
    Import {
        /// The file
        file: PathBuf,
        /// Say what would become of each line, and make nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Print the keys that sign access tokens, and what each does
    #[cfg(feature = "auth")]
    List {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Let the next signing key take over, once every verifier knows it; tokens of the one before stay good
    #[cfg(feature = "auth")]
    Rotate {
        /// Once our own nodes know it, in two minutes at most: verifiers elsewhere may refuse tokens for up to an hour
        #[arg(long)]
        now: bool,
        /// Refuse every token of this key, at once; without --now nothing else changes, but that the next takes over
        /// from an active one. Running servers follow within a minute
        // One id in 64 begins with a hyphen.
        #[arg(long, value_name = "KID", allow_hyphen_values = true)]
        revoke: Option<String>,
        /// Print the keys as JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Seal with keys.master what was sealed with keys.previous; afterwards the previous key alone starts no server
    RotateMaster,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say whether the settings are right, and where they are not
    Check,
    /// Print each setting in force and where it came from; secrets are masked
    Show,
    /// Print a settings file with every setting, its default and what it does
    Sample,
}
