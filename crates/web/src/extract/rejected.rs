//! serde's errors are texts. What can be told from them is told here, once.

use cgcg_core::Invalid;
use serde_path_to_error::{Path, Segment};

use crate::{FieldError, Problem};

/// Where serde stopped, outermost first.
pub(super) fn place(path: &Path) -> Vec<String> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect()
}

/// 422 for what serde says about one field of `part` (`body`, `query`, `path`).
pub(super) fn field(part: &str, place: &[String], text: &str) -> Problem {
    // serde_json ends in " at line 1 column 2", which a client that builds its bodies has no use for.
    let text = text.rsplit_once(" at line ").map_or(text, |(head, _)| head);
    let (code, detail) = match Invalid::unpack(text) {
        Some((code, detail)) => (code, detail.to_owned()),
        None => (code(text), plain(text)),
    };
    let mut loc = vec![part.to_owned()];
    loc.extend_from_slice(place);
    // A missing field has no place of its own, and an unknown one only with some formats.
    if let Some(name) = named(text).filter(|name| place.last().is_none_or(|last| last != name)) {
        loc.push(name.to_owned());
    }
    Problem::wrong_field(FieldError {
        loc,
        code: code.to_owned(),
        detail,
    })
}

/// Without the words of Rust and of serde.
fn plain(text: &str) -> String {
    let Some((got, expected)) = text.rsplit_once(", expected ") else {
        return parsed(text).to_owned();
    };
    let got = match got {
        "invalid type: sequence" => "invalid type: list",
        "invalid type: map" => "invalid type: object",
        other => other,
    };
    let expected = match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        named if named.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{got}, expected {expected}")
}

/// What std says of a number or a boolean in a query or a path.
fn parsed(text: &str) -> &str {
    match text {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "expected a whole number"
        }
        "number too large to fit in target type" => "the number is too large",
        "number too small to fit in target type" => "the number is too small",
        "invalid float literal" | "cannot parse float from empty string" => "expected a number",
        "provided string was not `true` or `false`" => "expected true or false",
        other => other,
    }
}

fn code(text: &str) -> &'static str {
    const KNOWN: [(&str, &str); 4] = [
        ("unknown field", "unknown_field"),
        ("missing field", "missing_field"),
        ("duplicate field", "duplicate_field"),
        ("unknown variant", "value_unknown"),
    ];
    KNOWN
        .iter()
        .find(|(start, _)| text.starts_with(start))
        .map_or("wrong_type", |(_, code)| code)
}

/// The field in "missing field `name`" and its like.
fn named(text: &str) -> Option<&str> {
    let rest = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| text.strip_prefix(start))?;
    rest.split_once('`').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_is_expected_is_told_without_types_of_a_language() {
        for (text, told) in [
            (
                "invalid type: string \"1\", expected i64",
                "invalid type: string \"1\", expected a whole number",
            ),
            (
                "invalid type: integer `1`, expected struct Rate",
                "invalid type: integer `1`, expected an object",
            ),
            (
                "invalid type: string \", expected u8\", expected f64",
                "invalid type: string \", expected u8\", expected a number",
            ),
            (
                "invalid type: null, expected a string",
                "invalid type: null, expected a string",
            ),
            ("missing field `name`", "missing field `name`"),
            (
                "invalid type: sequence, expected a map",
                "invalid type: list, expected an object",
            ),
            (
                "invalid type: map, expected a sequence",
                "invalid type: object, expected a list",
            ),
            ("invalid digit found in string", "expected a whole number"),
        ] {
            assert_eq!(plain(text), told);
        }
    }
}
