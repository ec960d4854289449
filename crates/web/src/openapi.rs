//! One OpenAPI document out of many, with what all operations share said once, here.

use std::sync::Arc;

use cgcg_core::ScopeInfo;
use serde_json::{Map, Value, json};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::{FieldError, Module, ProblemBody};

/// Where a password buys a token.
const TOKEN: &str = "/api/v1/auth/token";

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ProblemBody, FieldError)))]
struct Shared;

/// The document of this build as JSON: `own` is what the server itself answers, beside the modules; `scopes` are
/// those of both.
///
/// Each operation gets the answers that any may give (401, 403, 422, 429, …) with the body of a problem, and the
/// second way to show a credential. A failure that a feature describes without a body gets that body too.
///
/// # Errors
/// Where the document cannot be written as JSON: a defect of a schema.
pub fn document(
    own: OpenApi,
    scopes: &[ScopeInfo],
    modules: &[Arc<dyn Module>],
) -> serde_json::Result<String> {
    let mut all = own.merge_from(Shared::openapi());
    for module in modules {
        all.merge(module.openapi());
    }
    let mut document = serde_json::to_value(all)?;
    let with_login = document["paths"].get(TOKEN).is_some();
    if let Some(Value::Object(paths)) = document.get_mut("paths") {
        let items = paths.values_mut().filter_map(Value::as_object_mut);
        items
            .flat_map(|item| item.values_mut())
            .for_each(|operation| complete(operation, with_login));
    }
    document["components"]["securitySchemes"] = schemes(scopes, with_login);
    serde_json::to_string_pretty(&document)
}

fn schemes(scopes: &[ScopeInfo], with_login: bool) -> Value {
    let mut schemes = json!({ "bearer": {
        "type": "http", "scheme": "bearer",
        "description": if with_login { "An access token." } else { "A static token of the settings." },
    } });
    if with_login {
        let scopes: Map<_, _> = scopes
            .iter()
            .map(|scope| (scope.name.to_owned(), scope.about.into()))
            .collect();
        schemes["oauth2"] = json!({ "type": "oauth2", "flows": { "password": { "tokenUrl": TOKEN, "scopes": scopes } } });
    }
    schemes
}

fn complete(operation: &mut Value, with_login: bool) {
    let secured = secure(operation, with_login);
    let body = operation.get("requestBody").is_some();
    let json = operation["requestBody"]["content"]
        .get("application/json")
        .is_some();
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let paged = parameters.is_some_and(|all| all.iter().any(|one| one["name"] == "cursor"));
    let parameters = parameters.is_some_and(|all| !all.is_empty());
    let Some(answers) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    let common = [
        ("400", body, "`body_invalid`"),
        (
            "401",
            secured,
            "`credentials_missing`, `token_invalid`, `token_expired`, `token_stale`",
        ),
        ("403", secured, "`insufficient_scope`, `person_required`"),
        ("408", body, "`request_timeout`"),
        ("413", body, "`body_too_large`"),
        (
            "415",
            body,
            "`media_type_unsupported`, `content_encoding_unsupported`",
        ),
        ("422", json || parameters, "`validation_failed`"),
        ("422", paged, "`cursor_invalid`"),
        ("429", true, "`throttled`"),
        ("500", true, "`internal`"),
        (
            "503",
            true,
            "`auth_unavailable`, `overloaded`, `storage_busy`, `storage_full`, `storage_gone`, `shutting_down`",
        ),
    ];
    for (status, may, codes) in common {
        if may {
            let answer = answers
                .entry(status)
                .or_insert_with(|| json!({ "description": "" }));
            let own = answer["description"].as_str().unwrap_or_default();
            let both = if own.is_empty() {
                codes.to_owned()
            } else {
                format!("{own}, {codes}")
            };
            answer["description"] = both.into();
        }
    }
    for (status, answer) in answers {
        if answer["description"].as_str().is_none_or(str::is_empty) {
            answer["description"] = "Done.".into();
        }
        let failed = status.starts_with(['4', '5']);
        if failed
            && answer
                .get("content")
                .is_none_or(|content| content.as_object().is_some_and(Map::is_empty))
        {
            let schema = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
            answer["content"] = json!({ "application/problem+json": schema });
        }
    }
}

/// Whether the operation needs a caller; names both ways to be one.
fn secure(operation: &mut Value, with_login: bool) -> bool {
    let Some(ways) = operation.get_mut("security").and_then(Value::as_array_mut) else {
        return false;
    };
    let anybody = |way: &Value| way.as_object().is_some_and(Map::is_empty);
    if ways.iter().all(anybody) {
        ways.clear();
        return false;
    }
    if !with_login {
        ways.retain(anybody);
    }
    ways.push(json!({ "bearer": [] }));
    true
}
