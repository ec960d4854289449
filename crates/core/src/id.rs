use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};
use uuid::{NoContext, Uuid};

use crate::{Invalid, Timestamp};

/// An account of a person.
pub enum User {}
/// An account of a machine.
pub enum ServiceAccount {}
/// A login of a person on one device.
pub enum Session {}
/// A long-lived credential of a machine.
pub enum ApiKey {}
/// A piece of background work.
pub enum Task {}
/// An organisation.
pub enum Tenant {}

/// A UUIDv7 (RFC 9562) that names a `T`. Text in JSON, `blob` / `uuid` in the database.
///
/// Ids of one kind cannot be given where another kind is asked for. They sort by creation, to the millisecond.
pub struct Id<T>(Uuid, PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// A new id whose leading bits are `now`, the rest chance.
    pub fn new(now: Timestamp) -> Self {
        let micros = now.micros().max(0);
        let seconds = u64::try_from(micros / 1_000_000).unwrap_or_default();
        let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or_default();
        Self::from_uuid(Uuid::new_v7(uuid::Timestamp::from_unix(
            NoContext, seconds, nanos,
        )))
    }

    /// Takes an id that was stored elsewhere as it is.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The id without its kind.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<T> FromStr for Id<T> {
    type Err = Invalid;

    /// The hyphenated form of RFC 9562 only: braces and URNs would give one thing several names.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let hyphenated = text.len() == 36;
        let uuid = Uuid::try_parse(text).ok().filter(|_| hyphenated);
        uuid.map(Self::from_uuid).ok_or_else(|| {
            Invalid::new(
                "id_invalid",
                "expected a UUID: 8-4-4-4-12 hexadecimal digits",
            )
        })
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(Invalid::into_serde)
    }
}

impl<T, DB: Database> Type<DB> for Id<T>
where
    Uuid: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        Uuid::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        Uuid::compatible(ty)
    }
}

impl<'q, T, DB: Database> Encode<'q, DB> for Id<T>
where
    Uuid: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.encode_by_ref(buffer)
    }
}

impl<'r, T, DB: Database> Decode<'r, DB> for Id<T>
where
    Uuid: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Uuid::decode(value).map(Self::from_uuid)
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    use std::borrow::Cow;

    use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
    use utoipa::openapi::{RefOr, Schema};
    use utoipa::{PartialSchema, ToSchema};

    impl<T> PartialSchema for super::Id<T> {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::Custom("uuid".to_owned())))
                .description(Some("UUIDv7, hyphenated."))
                .into()
        }
    }

    impl<T> ToSchema for super::Id<T> {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("Id")
        }
    }
}
