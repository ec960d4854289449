use cgcg_core::Invalid;

/// What one field allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// A bit for each value.
    pub(super) bits: u64,
    /// Begins with `*`.
    pub(super) star: bool,
}

/// The five of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) minute: Field,
    pub(super) hour: Field,
    pub(super) day_of_month: Field,
    pub(super) month: Field,
    /// Sunday is 0.
    pub(super) day_of_week: Field,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Longer than any expression that a person writes.
const LONGEST: usize = 256;

/// A piece of the expression, and where it begins, in bytes from 0.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    at: usize,
}

struct Kind {
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

impl Fields {
    pub(super) fn parse(expression: &str) -> Result<Self, Invalid> {
        let expression = match expression {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        if expression.len() > LONGEST {
            return Err(wrong(LONGEST, "at most 256 characters"));
        }
        let pieces: Vec<_> = pieces(expression, ' ')
            .filter(|piece| !piece.text.is_empty())
            .collect();
        let [minute, hour, day_of_month, month, day_of_week] = pieces[..] else {
            return Err(Invalid::new(
                "cron_invalid",
                "expected five fields, as in 30 2 * * mon, or @hourly, @daily, @weekly, @monthly or @yearly",
            ));
        };
        let kind = |least, most, names| Kind { least, most, names };
        let mut week = parse(day_of_week, &kind(0, 7, &WEEKDAYS))?;
        // Sunday is 7 too.
        week.bits = (week.bits | week.bits >> 7) & 0x7f;
        Ok(Self {
            minute: parse(minute, &kind(0, 59, &[]))?,
            hour: parse(hour, &kind(0, 23, &[]))?,
            day_of_month: parse(day_of_month, &kind(1, 31, &[]))?,
            month: parse(month, &kind(1, 12, &MONTHS))?,
            day_of_week: week,
        })
    }
}

fn pieces(text: &str, separator: char) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    text.split(separator).map(move |text| {
        let piece = Piece { text, at };
        at += text.len() + separator.len_utf8();
        piece
    })
}

fn parse(field: Piece<'_>, kind: &Kind) -> Result<Field, Invalid> {
    let mut bits = 0;
    for part in pieces(field.text, ',') {
        bits |= range(
            Piece {
                at: field.at + part.at,
                ..part
            },
            kind,
        )?;
    }
    Ok(Field {
        bits,
        star: field.text.starts_with('*'),
    })
}

/// `*`, `*/n`, `a`, `a-b` or `a-b/n`.
fn range(part: Piece<'_>, kind: &Kind) -> Result<u64, Invalid> {
    let (span, step) = match part.text.split_once('/') {
        Some((span, step)) => (span, Some(step)),
        None => (part.text, None),
    };
    let step_at = part.at + span.len() + 1;
    let (first, last) = match span.split_once('-') {
        _ if span == "*" => (kind.least, kind.most),
        Some((first, last)) => (
            value(first, part.at, kind)?,
            value(last, part.at + first.len() + 1, kind)?,
        ),
        None if step.is_some() => return Err(wrong(part.at, "a range before the step")),
        None => {
            let value = value(span, part.at, kind)?;
            (value, value)
        }
    };
    if first > last {
        return Err(wrong(part.at, "a range that rises"));
    }
    let step = match step.map(str::parse::<u8>) {
        None => 1,
        Some(Ok(step @ 1..=60)) => step,
        Some(_) => return Err(wrong(step_at, "a step of 1 to 60")),
    };
    let values = (first..=last).step_by(step.into());
    Ok(values.fold(0, |bits, value| bits | 1 << value))
}

fn value(text: &str, at: usize, kind: &Kind) -> Result<u8, Invalid> {
    let lower = text.to_ascii_lowercase();
    if let Some(index) = kind.names.iter().position(|name| *name == lower) {
        return Ok(kind.least + u8::try_from(index).unwrap_or_default());
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text
        .parse()
        .ok()
        .filter(|number| digits && (kind.least..=kind.most).contains(number));
    number.ok_or_else(|| wrong(at, &format!("{} to {}", kind.least, kind.most)))
}

fn wrong(at: usize, expected: &str) -> Invalid {
    Invalid::new(
        "cron_invalid",
        format!("expected {expected} at position {}", at + 1),
    )
}
