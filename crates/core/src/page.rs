use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{Invalid, Timestamp};

/// One page of a list, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// In the order of the list; may be empty.
    pub items: Vec<T>,
    /// Give it back as `cursor` for the next page; `null` on the last one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, required = true))]
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page of up to `limit + 1` rows: the one too many only proves that there is a next page.
    pub fn of(mut rows: Vec<T>, limit: Limit, cursor: impl Fn(&T) -> Cursor) -> Self {
        let more = rows.len() > limit.rows();
        rows.truncate(limit.rows());
        let next_cursor = rows.last().filter(|_| more).map(cursor);
        Self {
            items: rows,
            next_cursor,
        }
    }

    /// The same page of other things.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

/// Which page a caller wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// At most so many.
    pub limit: Limit,
    /// Behind this place; from the start where absent.
    pub cursor: Option<Cursor>,
}

/// How many items a page holds at most: 1 to 200, by default 50.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit(u8);

impl Limit {
    /// Fails outside of 1 to 200 with `out_of_range`.
    pub fn new(items: i64) -> Result<Self, Invalid> {
        u8::try_from(items)
            .ok()
            .filter(|items| (1..=200).contains(items))
            .map(Self)
            .ok_or_else(|| Invalid::new("out_of_range", "a page has 1 to 200 items"))
    }

    /// Items on the page.
    pub const fn rows(self) -> usize {
        self.0 as usize
    }

    /// Rows to ask the database for; see [`Page::of`].
    pub const fn one_more(self) -> i64 {
        self.0 as i64 + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(i64::deserialize(deserializer)?).map_err(Invalid::into_serde)
    }
}

/// A place in a list ordered by time and id. Opaque to clients: base64url of a version and both parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// First key of the order.
    pub at: Timestamp,
    /// Second key of the order.
    pub id: Uuid,
}

impl Cursor {
    const VERSION: u8 = 1;

    fn text(&self) -> String {
        let mut bytes = [Self::VERSION; 25];
        bytes[1..9].copy_from_slice(&self.at.micros().to_be_bytes());
        bytes[9..].copy_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

impl FromStr for Cursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(
                "cursor_invalid",
                "expected the next_cursor of an earlier page",
            )
        };
        // 25 bytes are 34 letters. A longer text is not worth decoding.
        let bytes = URL_SAFE_NO_PAD.decode(
            text.get(..34)
                .filter(|_| text.len() == 34)
                .ok_or_else(wrong)?,
        );
        let bytes: [u8; 25] = bytes
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(wrong)?;
        let [Self::VERSION, place @ ..] = bytes else {
            return Err(wrong());
        };
        let (at, id) = place.split_first_chunk::<8>().ok_or_else(wrong)?;
        Ok(Self {
            at: Timestamp::from_micros(i64::from_be_bytes(*at)),
            id: Uuid::from_slice(id).map_err(|_| wrong())?,
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(Invalid::into_serde)
    }
}
