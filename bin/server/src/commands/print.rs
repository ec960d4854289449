use serde_json::Value;

use crate::Failure;
use crate::assembly::Assembly;
use crate::console::say;
use crate::settings::Settings;

/// The OpenAPI document of this build.
pub(crate) fn document(settings: &Settings) -> Result<String, Failure> {
    Assembly::detached(settings)?.document()
}

/// A line per operation: method, path, and what it asks for.
pub(crate) fn routes(document: &str) -> Result<(), Failure> {
    let document: Value = serde_json::from_str(document)?;
    let paths = document["paths"].as_object().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            say(format!(
                "{:7} {path:44} {}",
                method.to_uppercase(),
                access(operation)
            ));
        }
    }
    Ok(())
}

fn access(operation: &Value) -> String {
    let ways = operation["security"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if ways.is_empty() {
        return "public".to_owned();
    }
    if ways.contains(&serde_json::json!({})) {
        return "public; a caller may see more".to_owned();
    }
    let scopes = ways
        .iter()
        .filter_map(|way| way["oauth2"].as_array())
        .flatten()
        .filter_map(Value::as_str);
    let scopes: Vec<&str> = scopes.collect();
    if scopes.is_empty() {
        "any caller".to_owned()
    } else {
        scopes.join(" ")
    }
}
