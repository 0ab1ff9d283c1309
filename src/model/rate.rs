//! [`Rate`]: so many in a time, written `10/s`, `300/m`, `5/10s`. [`RateLimit`]: so many at once, and in a
//! time.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::time::Span;

/// More in a second is no limit that a request would notice.
const PER_SECOND_MAX: u64 = 10_000;

/// So many in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In which time.
    pub per: Span,
}

/// How much may happen: at once, and in a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    /// So many at once.
    pub parallel: Option<u32>,
    /// So many in a time.
    pub rate: Option<Rate>,
}

impl Rate {
    /// The time from one to the next, in microseconds.
    pub fn gap_us(self) -> i64 {
        let whole = self.per.0.saturating_mul(1_000) / u64::from(self.count.max(1));
        i64::try_from(whole).unwrap_or(i64::MAX)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let bad = || format!("`{text}` is no rate; hint: write `10/s`, `300/m` or `5/10s`");
        let (count, per) = text.split_once('/').ok_or_else(bad)?;
        let count: u32 = count.trim().parse().map_err(|_| bad())?;
        let per = per.trim();
        let per =
            if per.starts_with(|it: char| it.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
        let per: Span = per.parse().map_err(|_| bad())?;
        if count == 0 || per == Span(0) {
            return Err(bad());
        }
        if u64::from(count).saturating_mul(1_000) > per.0.saturating_mul(PER_SECOND_MAX) {
            return Err(format!("`{text}` is more than {PER_SECOND_MAX} in a second"));
        }
        Ok(Rate { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.per.to_string();
        let one = per.strip_prefix('1').filter(|it| it.chars().all(char::is_alphabetic));
        write!(to, "{}/{}", self.count, one.unwrap_or(&per))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-9]+/([0-9]*[a-z]+)+$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written() {
        for (text, gap_us) in
            [("10/s", 100_000), ("300/m", 200_000), ("5/10s", 2_000_000), ("1/1h30m", 5_400_000_000)]
        {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.gap_us(), rate.to_string().as_str()), (gap_us, text));
        }
        for text in ["", "10", "10/", "0/s", "5/0s", "-1/s", "10/x", "100000/s"] {
            assert!(text.parse::<Rate>().unwrap_err().contains(text), "{text}");
        }
    }
}
