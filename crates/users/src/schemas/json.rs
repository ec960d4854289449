use std::fmt;

use cgcg_core::Invalid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::text::no_nul;

/// Deeper than anybody writes by hand, and far from where parsers of other languages give up.
const DEPTH: usize = 32;

/// Beyond, PostgreSQL writes a number out digit by digit: ten bytes of `1e300` would come back as 301.
const LARGEST: f64 = 1e30;
const SMALLEST: f64 = 1e-30;

/// Any JSON object that both databases can store, at most 32 levels deep. Kept as text: between a row and an answer
/// nothing is parsed.
#[derive(Clone)]
pub struct JsonObject(Box<RawValue>);

impl JsonObject {
    /// As JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// As a tree.
    pub fn to_map(&self) -> Map<String, Value> {
        // It was made of a map, or is a row that was.
        serde_json::from_str(self.as_str()).unwrap_or_default()
    }

    /// As it is bound.
    pub(crate) fn raw(&self) -> &RawValue {
        &self.0
    }
}

impl TryFrom<Map<String, Value>> for JsonObject {
    type Error = Invalid;

    /// Fails with `text_invalid` (NUL), `json_too_deep` or `out_of_range` (numbers beyond 1e30, or nearer to zero
    /// than 1e-30).
    fn try_from(map: Map<String, Value>) -> Result<Self, Invalid> {
        check_map(&map, 1)?;
        let raw = to_raw_value(&map)
            .map_err(|_| Invalid::new("json_invalid", "expected a JSON object"))?;
        Ok(Self(raw))
    }
}

/// What comes from a row was checked on its way in.
impl From<Box<RawValue>> for JsonObject {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

fn check_map(map: &Map<String, Value>, depth: usize) -> Result<(), Invalid> {
    check_depth(depth)?;
    map.iter().try_for_each(|(key, value)| {
        no_nul(key)?;
        check(value, depth)
    })
}

fn check(value: &Value, depth: usize) -> Result<(), Invalid> {
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::String(text) => no_nul(text),
        Value::Number(number) => {
            let size = number.as_f64().unwrap_or_default().abs();
            if size == 0.0 || (SMALLEST..=LARGEST).contains(&size) {
                return Ok(());
            }
            Err(Invalid::new(
                "out_of_range",
                "expected numbers between 1e-30 and 1e30, or zero",
            ))
        }
        Value::Array(items) => {
            check_depth(depth + 1)?;
            items.iter().try_for_each(|item| check(item, depth + 1))
        }
        Value::Object(map) => check_map(map, depth + 1),
    }
}

fn check_depth(depth: usize) -> Result<(), Invalid> {
    if depth > DEPTH {
        return Err(Invalid::new(
            "json_too_deep",
            "expected JSON of at most 32 levels",
        ));
    }
    Ok(())
}

/// The same members and values, in whatever order and spelling.
impl PartialEq for JsonObject {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() || self.to_map() == other.to_map()
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        Self::try_from(map).map_err(Invalid::into_serde)
    }
}

#[cfg(feature = "router")]
mod openapi {
    use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
    use utoipa::openapi::{RefOr, Schema};
    use utoipa::{PartialSchema, ToSchema};

    impl PartialSchema for super::JsonObject {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .additional_properties(Some(AdditionalProperties::FreeForm(true)))
                .description(Some("Any JSON object, at most 32 levels deep."))
                .into()
        }
    }

    impl ToSchema for super::JsonObject {}
}
