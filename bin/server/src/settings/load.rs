use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cgcg_core::{DbSettings, Invalid};
use figment::error::Kind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use serde::de::DeserializeOwned;

use super::env::Env;
use super::{Settings, together};
use crate::cli::Common;
use crate::features::FEATURES;

/// Settings that may also come from a file of their own: `<key>_file`. Never shown.
pub(super) const SECRETS: &[&str] = &[
    "database.url",
    "keys.master",
    "keys.previous",
    "auth.mail.smtp.password",
    "auth.bootstrap.admin_password",
    "auth.bootstrap.admin_password_hash",
];

/// Sections of the server itself.
const OWN: &[&str] = &[
    "data", "http", "limits", "database", "keys", "log", "metrics", "access",
];

/// The settings in force, and what else is to be said about them.
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) warnings: Vec<String>,
    pub(super) sources: Figment,
    pub(super) values: Figment,
}

/// All that is wrong with the settings, a line each.
#[derive(Debug)]
pub(crate) struct WrongSettings(pub(crate) Vec<String>);

impl fmt::Display for WrongSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are wrong:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for WrongSettings {}

impl Loaded {
    /// Defaults < file < environment < options.
    ///
    /// # Errors
    /// Everything that is wrong, at once, each with its source.
    pub(crate) fn new(options: &Common) -> Result<Self, WrongSettings> {
        let file = options.config.clone().unwrap_or_else(|| "cgcg.toml".into());
        if options.config.is_some() && !file.is_file() {
            return Err(WrongSettings(vec![format!(
                "{}: there is no such file",
                file.display()
            )]));
        }
        let file = if file.is_file() {
            Figment::from(Toml::file_exact(file))
        } else {
            Figment::new()
        };
        let env = Env::of_process(SECRETS);
        let strange = |name| {
            format!(
                "{name} has no effect: between section and key stand two underscores, as in CGCG_HTTP__LISTEN"
            )
        };
        let strange: Vec<String> = env.strange().map(strange).collect();
        let mut sources = file.merge(env);
        if let Some(listen) = options.listen {
            sources = sources.merge(Flag("http.listen", listen.to_string()));
        }
        if let Some(data) = &options.data {
            sources = sources.merge(Flag("data.dir", data.display().to_string()));
        }
        let mut loaded = Self::of(sources)?;
        loaded.warnings.extend(strange);
        Ok(loaded)
    }

    /// Secrets that stand in a settings file which others can read, with that file.
    pub(crate) fn readable_secrets(&self) -> Vec<(&'static str, PathBuf)> {
        let file = |key: &str| match self.sources.find_metadata(key)?.source.clone()? {
            Source::File(path) => Some(path),
            _ => None,
        };
        let open = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
        };
        // The address of a file is none.
        let hidden = |key: &str| key != "database.url" || self.settings.database.file().is_none();
        let secrets = SECRETS.iter().filter(|key| hidden(key));
        secrets
            .filter_map(|key| Some((*key, file(key).filter(open)?)))
            .collect()
    }

    pub(super) fn of(sources: Figment) -> Result<Self, WrongSettings> {
        let mut reader = Reader {
            wrong: Vec::new(),
            sources,
            values: Figment::new(),
        };
        let mut all = match reader.sources.data() {
            Ok(mut profiles) => profiles.remove(&Profile::Default).unwrap_or_default(),
            Err(failure) => {
                return Err(WrongSettings(
                    failure.into_iter().map(|one| one.to_string()).collect(),
                ));
            }
        };
        reader.secret_files(&mut all);
        let mut warnings = reader.unknown_sections(&all);
        reader.values = Figment::from(Settled(all.clone()));
        let mut settings = reader.sections();
        if !reader.values.contains("database.url") {
            let url = DbSettings::sqlite_url(&settings.data.dir.join("cgcg.db"));
            reader.values = Figment::from(Settled(all)).merge(("database.url", &url));
            settings.database.url = url.into();
        }
        warnings.extend(together::warnings(&settings));
        let Reader {
            wrong,
            sources,
            values,
        } = reader;
        if wrong.is_empty() {
            Ok(Self {
                settings,
                warnings,
                sources,
                values,
            })
        } else {
            Err(WrongSettings(wrong))
        }
    }
}

/// Reads each section by itself, since serde stops at the first mistake of a struct.
struct Reader {
    wrong: Vec<String>,
    sources: Figment,
    values: Figment,
}

impl Reader {
    fn sections(&mut self) -> Settings {
        Settings {
            data: self.section("data", |_| Vec::new()),
            http: self.section("http", super::sections::Http::validate),
            limits: self.section("limits", cgcg_web::FrontSettings::validate),
            database: self.section("database", DbSettings::validate),
            keys: self.section("keys", super::sections::Keys::validate),
            log: self.section("log", super::sections::Log::validate),
            metrics: self.section("metrics", |_| Vec::new()),
            access: self.section("access", super::sections::Access::validate),
            #[cfg(feature = "users")]
            users: self.section("users", cgcg_users::Settings::validate),
            #[cfg(feature = "auth")]
            auth: self.section("auth", cgcg_auth::Settings::validate),
            #[cfg(feature = "tasks")]
            tasks: self.section("tasks", cgcg_tasks::Settings::validate),
        }
    }

    fn section<T: DeserializeOwned + Default>(
        &mut self,
        name: &'static str,
        validate: impl Fn(&T) -> Vec<(&'static str, String)>,
    ) -> T {
        if !self.values.contains(name) {
            return T::default();
        }
        match self.values.extract_inner::<T>(name) {
            Ok(section) => {
                for (key, what) in validate(&section) {
                    self.complain(&format!("{name}.{key}"), &what);
                }
                section
            }
            Err(failures) => {
                for failure in failures {
                    let (key, what) = mistake(name, failure);
                    self.complain(&key, &what);
                }
                T::default()
            }
        }
    }

    fn complain(&mut self, key: &str, what: &str) {
        let source = self
            .sources
            .find_metadata(key)
            .map_or_else(|| "default".to_owned(), |found| place(found, key));
        self.wrong.push(format!("{key}: {what} ({source})"));
    }

    /// `database.url_file = "…"` becomes `database.url = <what stands in it>`.
    fn secret_files(&mut self, all: &mut Dict) {
        for secret in SECRETS {
            let Some((section, key)) = secret.rsplit_once('.') else {
                continue;
            };
            let Some(section) = within(all, section) else {
                continue;
            };
            let Some(named) = section.remove(&format!("{key}_file")) else {
                continue;
            };
            let path = named.as_str().map(PathBuf::from).unwrap_or_default();
            match fs::read_to_string(&path) {
                Ok(text) if !section.contains_key(key) => {
                    section.insert(key.to_owned(), text.trim_end_matches(['\r', '\n']).into());
                }
                Ok(_) => self.complain(
                    &format!("{secret}_file"),
                    &format!("{secret} is given as well; keep one"),
                ),
                Err(failure) => self.complain(
                    &format!("{secret}_file"),
                    &format!("{}: {failure}", path.display()),
                ),
            }
        }
    }

    /// A section of a feature that is not compiled in is a warning; one that nobody knows is an error.
    fn unknown_sections(&mut self, all: &Dict) -> Vec<String> {
        let mut warnings = Vec::new();
        if !cfg!(feature = "metrics") && all.contains_key("metrics") {
            warnings.push(
                "section [metrics] has no effect: this build lacks the Cargo feature `metrics`"
                    .to_owned(),
            );
        }
        for name in all.keys().filter(|name| !OWN.contains(&name.as_str())) {
            match FEATURES.iter().find(|feature| feature.name == name) {
                Some(feature) if feature.built => {}
                Some(_) => warnings.push(format!(
                    "section [{name}] has no effect: this build lacks the Cargo feature `{name}`"
                )),
                None => self.complain(
                    name,
                    "there is no such section; `cgcg config sample` prints all",
                ),
            }
        }
        warnings
    }
}

/// The part of the settings with this dotted name.
fn within<'a>(all: &'a mut Dict, name: &str) -> Option<&'a mut Dict> {
    name.split('.')
        .try_fold(all, |part, key| match part.get_mut(key) {
            Some(Value::Dict(_, inner)) => Some(inner),
            _ => None,
        })
}

/// The key that is wrong, and what would be right.
fn mistake(section: &str, failure: figment::Error) -> (String, String) {
    let mut path = failure.path;
    // figment puts the section behind the rest.
    path.retain(|part| part != section);
    path.insert(0, section.to_owned());
    let what = match failure.kind {
        Kind::UnknownField(name, known) => {
            path.push(name);
            format!("there is no such key; expected one of {}", known.join(", "))
        }
        kind => {
            let text = kind.to_string();
            Invalid::unpack(&text).map_or_else(|| text.clone(), |(_, detail)| detail.to_owned())
        }
    };
    path.dedup();
    (path.join("."), what)
}

/// Where a value came from, for people.
pub(super) fn place(metadata: &Metadata, key: &str) -> String {
    let keys: Vec<&str> = key.split('.').collect();
    match &metadata.source {
        Some(Source::File(path)) => file(path),
        _ if metadata.name == "environment" => metadata.interpolate(&Profile::Default, &keys),
        _ => metadata.name.to_string(),
    }
}

fn file(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// An option of the command line.
struct Flag(&'static str, String);

impl Provider for Flag {
    fn metadata(&self) -> Metadata {
        Metadata::named("option")
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Serialized::default(self.0, &self.1).data()
    }
}

/// Values with the files of secrets already read.
struct Settled(Dict);

impl Provider for Settled {
    fn metadata(&self) -> Metadata {
        Metadata::named("settings")
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.0.clone())]))
    }
}
