use std::fmt;
use std::str::FromStr;

use cgcg_core::Invalid;

/// Where a request belongs in a distributed trace: `00-<trace>-<parent>-<flags>`. Made by parsing alone.
///
/// Source: W3C Trace Context, section 3.2, `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceParent(String);

/// Bytes of version 00.
const LENGTH: usize = 55;
/// That the caller may have recorded it.
const SAMPLED: u8 = 1;

impl TraceParent {
    /// Its text, in version 00.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = Invalid;

    /// Of a later version what version 00 knows is taken over, as section 3.2.4 asks for.
    ///
    /// # Errors
    /// `traceparent_invalid`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text).map(Self).ok_or_else(|| {
            let rule = "expected 00-, 32 and 16 lower-case hex digits that are not all zero, and two for flags";
            Invalid::new("traceparent_invalid", rule)
        })
    }
}

fn parse(text: &str) -> Option<String> {
    let known = text.get(..LENGTH)?;
    let (version, rest) = known.split_once('-')?;
    let (trace, rest) = rest.split_once('-')?;
    let (parent, flags) = rest.split_once('-')?;
    let more = &text[LENGTH..];
    let whole = match version {
        "ff" => false,
        "00" => more.is_empty(),
        _ => more.is_empty() || more.starts_with('-'),
    };
    let fits = whole
        && hex(version, 2)
        && hex(trace, 32)
        && hex(parent, 16)
        && hex(flags, 2)
        && [trace, parent]
            .iter()
            .all(|id| id.bytes().any(|digit| digit != b'0'));
    if !fits {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    // What other bits mean in a later version, nobody here knows.
    let flags = if version == "00" {
        flags
    } else {
        flags & SAMPLED
    };
    Some(format!("00-{trace}-{parent}-{flags:02x}"))
}

fn hex(text: &str, digits: usize) -> bool {
    let digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == digits && text.bytes().all(digit)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
