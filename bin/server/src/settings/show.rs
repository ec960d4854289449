use figment::value::{Dict, Value};
use figment::{Figment, providers::Format, providers::Toml};

use super::Loaded;
use super::load::{SECRETS, place};
use super::sample::defaults;

impl Loaded {
    /// Each setting in force with its source, a line each. Secrets are masked.
    pub(crate) fn show(&self) -> String {
        let all = Figment::from(Toml::string(&defaults())).merge(&self.values);
        let all = all.extract::<Dict>().unwrap_or_default();
        let mut lines = Vec::new();
        for (name, section) in &all {
            lines.push(format!("[{name}]"));
            self.leaves(name, section, &mut lines);
        }
        lines.join("\n")
    }

    fn leaves(&self, key: &str, value: &Value, lines: &mut Vec<String>) {
        if let Value::Dict(_, dict) = value {
            return dict
                .iter()
                .for_each(|(name, value)| self.leaves(&format!("{key}.{name}"), value, lines));
        }
        let found = [key.to_owned(), format!("{key}_file")]
            .into_iter()
            .find_map(|key| {
                self.sources
                    .find_metadata(&key)
                    .map(|metadata| place(metadata, &key))
            });
        let source = found.unwrap_or_else(|| "default".to_owned());
        let shown = if SECRETS.contains(&key) {
            mask(value)
        } else {
            text(value)
        };
        let name = key.split_once('.').map_or(key, |(_, rest)| rest);
        lines.push(format!("{name} = {shown}  # {source}"));
    }
}

/// What may be seen of a secret: the file of a database, nothing else.
fn mask(value: &Value) -> String {
    let hidden = "\"[secret]\"".to_owned();
    let Some(address) = value.as_str() else {
        return hidden;
    };
    if address.starts_with("sqlite:") {
        format!("{address:?}")
    } else {
        hidden
    }
}

fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
