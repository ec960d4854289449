use figment::value::{Dict, Map, Num, Value};
use figment::{Metadata, Profile, Provider};

/// `CGCG_HTTP__LISTEN` is `http.listen`.
const PREFIX: &str = "CGCG_";

/// The environment as a source of settings.
///
/// figment's own reads `00123` as the number 123, and a password of digits as a number. Here a value is a number or a
/// flag only where it prints back the same, and a secret is always a text.
pub(super) struct Env {
    vars: Vec<(String, String)>,
    secrets: &'static [&'static str],
}

impl Env {
    /// What the process was started with.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where settings come from"
    )]
    pub(super) fn of_process(secrets: &'static [&'static str]) -> Self {
        Self {
            vars: std::env::vars_os().filter_map(utf8).collect(),
            secrets,
        }
    }

    #[cfg(test)]
    pub(super) fn of(vars: &[(&str, &str)], secrets: &'static [&'static str]) -> Self {
        let vars = vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self { vars, secrets }
    }

    /// Variables that look like ours and name no setting.
    pub(super) fn strange(&self) -> impl Iterator<Item = &str> {
        let names = self.vars.iter().map(|(name, _)| name.as_str());
        names.filter(|name| name.starts_with(PREFIX) && key(name).is_none())
    }
}

/// A variable of ours that is not UTF-8 cannot be meant.
fn utf8((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// The dotted key of a variable; `None` for one that is not ours.
fn key(name: &str) -> Option<String> {
    let rest = name
        .strip_prefix(PREFIX)
        .filter(|rest| rest.contains("__"))?;
    Some(rest.to_ascii_lowercase().replace("__", "."))
}

fn value(text: &str) -> Value {
    match text.parse::<Value>() {
        Ok(Value::Num(tag, number)) if printed(number) == text => Value::Num(tag, number),
        Ok(Value::Bool(tag, flag)) if flag.to_string() == text => Value::Bool(tag, flag),
        Ok(list @ (Value::Array(..) | Value::Dict(..))) => list,
        _ => Value::from(text),
    }
}

fn printed(number: Num) -> String {
    let whole = number.to_i128().map(|number| number.to_string());
    whole
        .or_else(|| number.to_u128().map(|number| number.to_string()))
        .unwrap_or_default()
}

fn insert(dict: &mut Dict, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(dict.insert(key.to_owned(), value)),
        Some((section, rest)) => {
            let inner = dict
                .entry(section.to_owned())
                .or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

impl Provider for Env {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment").interpolater(|_: &Profile, keys: &[&str]| {
            format!("{PREFIX}{}", keys.join("__").to_ascii_uppercase())
        })
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut all = Dict::new();
        for (name, text) in &self.vars {
            let Some(key) = key(name) else { continue };
            let value = if self.secrets.contains(&key.as_str()) {
                Value::from(&**text)
            } else {
                value(text)
            };
            insert(&mut all, &key, value);
        }
        Ok(Map::from([(Profile::Default, all)]))
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;

    use super::Env;

    #[test]
    fn only_what_prints_back_the_same_is_a_number_or_a_flag() {
        let env = Env::of(
            &[
                ("CGCG_A__ZIP", "00123"),
                ("CGCG_A__PORT", "8000"),
                ("CGCG_A__ON", "true"),
                ("CGCG_A__YES", "True"),
                ("CGCG_A__LIST", "[a, b]"),
                ("CGCG_A__INNER__DEEP", "30s"),
                ("CGCG_KEYS__MASTER", "42"),
                ("OTHER_A__ZIP", "1"),
            ],
            &["keys.master"],
        );
        let all = Figment::from(env);
        let text = |key: &str| all.extract_inner::<String>(key).unwrap();
        assert_eq!(
            (text("a.zip"), text("a.yes")),
            ("00123".to_owned(), "True".to_owned())
        );
        assert_eq!(text("keys.master"), "42");
        assert_eq!(text("a.inner.deep"), "30s");
        assert_eq!(all.extract_inner::<u16>("a.port").unwrap(), 8000);
        assert!(all.extract_inner::<bool>("a.on").unwrap());
        assert_eq!(
            all.extract_inner::<Vec<String>>("a.list").unwrap(),
            ["a", "b"]
        );
        assert!(all.find_value("other").is_err());
    }
}
