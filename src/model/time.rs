//! [`Timestamp`], a moment; [`Ticks`], how long the process has lived; [`Span`], a length of time. All in
//! milliseconds. Nothing here knows what time it is.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since 1970-01-01 UTC, as expressions see a moment.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// How long after `earlier` this is; nothing if it is before.
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// So many milliseconds later, or earlier if they are less than nothing.
    #[must_use]
    pub fn moved(self, by_ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(by_ms))
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

/// How many milliseconds this process has lived, pauses not counted. It means something in this process
/// alone: it is never stored, and no moment can be made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub u64);

impl Ticks {
    /// A tick that never comes.
    pub const NEVER: Ticks = Ticks(u64::MAX);

    /// How long after `earlier` this is; nothing if it is before.
    pub fn since(self, earlier: Ticks) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Ticks {
    type Output = Ticks;
    fn add(self, span: Span) -> Ticks {
        Ticks(self.0.saturating_add(span.0))
    }
}

/// As RFC 3339, such as `2026-11-21T05:30:00.25Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(to, "{time}"),
            Err(_) => write!(to, "{} ms", self.0),
        }
    }
}

/// A length of time in milliseconds, written `500ms`, `25m`, `1h30m`, `7d`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

/// The longest span: a thousand years. Beyond it, arithmetic on dates means nothing.
pub const SPAN_MAX: Span = Span::days(365_250);

const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Span {
        Span(millis)
    }
    /// So many seconds.
    pub const fn secs(secs: u64) -> Span {
        Span(secs * 1_000)
    }
    /// So many minutes.
    pub const fn mins(mins: u64) -> Span {
        Span(mins * 60_000)
    }
    /// So many hours.
    pub const fn hours(hours: u64) -> Span {
        Span(hours * 3_600_000)
    }
    /// So many days of 24 hours.
    pub const fn days(days: u64) -> Span {
        Span(days * 86_400_000)
    }
    /// As the standard library has it.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let bad = || format!("`{text}` is no length of time; hint: write `30s`, `25m`, `1h30m` or `7d`");
        let mut rest = text.trim();
        let mut millis = 0u64;
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.find(|it: char| !it.is_ascii_digit()).ok_or_else(bad)?;
            let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = rest[digits..].trim_start();
            let letters = rest.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = UNITS.iter().find(|(name, _)| *name == &rest[..letters]).ok_or_else(bad)?;
            rest = rest[letters..].trim_start();
            let part = number.checked_mul(unit.1).ok_or_else(bad)?;
            millis = millis.checked_add(part).ok_or_else(bad)?;
        }
        match Span(millis) {
            span if span > SPAN_MAX => Err(format!("`{text}` is longer than a thousand years")),
            span => Ok(span),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return to.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, size) in &UNITS[1..] {
            if rest >= *size {
                write!(to, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{self}")
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^\\s*([0-9]+\\s*(w|d|h|m|s|ms)\\s*)+$",
            "description": "A length of time, such as `30s`, `25m`, `1h30m`, `7d`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_it_is_written() {
        for text in ["500ms", "30s", "25m", "1h30m", "7d", "1d2h3m4s5ms"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for bad in ["", "25", "m", "1.5h", "-3s", "25 fortnights", "99999999999999999999s", "400000d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
