//! A moment as it is given: Unix seconds, as a number or as a text, or a date with its zone. Read in one
//! place for `until`, for the lives of values and for `date`.
//!
//! Milliseconds are never taken for seconds: that would be the year 58000. As seconds a number below
//! 253,402,300,800 lies before the year 10000, and as milliseconds before 1978-01-12, where nothing is
//! planned and nothing dies; so one number cannot be both.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use serde_json::Value;

use crate::model::time::Timestamp;

/// The last second of the year 9999, and the first that is none any more. Some write it for "never".
const SECONDS_END: f64 = 253_402_300_800.0;
/// The last second that can be told as a date. What lies beyond it in that year is cut to it.
pub const SECONDS_MAX: i64 = 253_402_207_200;
/// The units that programs take for seconds, and how many of them a second has.
const UNITS: [(&str, f64); 3] = [("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9)];

/// Why a value is no moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is in another unit, and this moment.
    Unit(&'static str, Timestamp),
    /// It is a date that may be anywhere in the world.
    NoZone,
    /// It is anything else.
    Other,
}

impl std::fmt::Display for Unread {
    /// As it goes on after what it is about: `is in milliseconds, …`.
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unread::Unit(unit, at) => {
                let many = UNITS.iter().find(|(name, _)| name == unit).map_or(1_000.0, |(_, many)| *many);
                write!(
                    to,
                    "is in {unit} ({at}), and must be Unix seconds; hint: divide it by {many}, as in \
                     `= … // {many}`"
                )
            }
            Unread::NoZone => write!(to, "is a date without a zone; hint: `Z` at its end is UTC"),
            Unread::Other => {
                write!(to, "is no moment; hint: Unix seconds, or RFC 3339 such as `2026-11-21T05:30:00Z`")
            }
        }
    }
}

/// The moment that a value is.
///
/// # Errors
/// Why it is none.
pub fn read(value: &Value) -> Result<Timestamp, Unread> {
    let text = value.as_str().map(str::trim);
    match text.map_or_else(|| value.as_f64(), |text| text.parse().ok()) {
        Some(seconds) if seconds.is_finite() => of_seconds(seconds),
        Some(_) => Err(Unread::Other),
        None => of_text(text.ok_or(Unread::Other)?),
    }
}

fn of_seconds(seconds: f64) -> Result<Timestamp, Unread> {
    if seconds.abs() < SECONDS_END {
        let at = Timestamp(millis(seconds));
        return Ok(at.clamp(Timestamp(-SECONDS_MAX * 1_000), Timestamp(SECONDS_MAX * 1_000)));
    }
    let unit = UNITS.iter().find(|(_, many)| seconds > 0.0 && seconds / many < SECONDS_END);
    Err(unit.map_or(Unread::Other, |(unit, many)| {
        Unread::Unit(unit, Timestamp(millis(seconds / many).min(SECONDS_MAX * 1_000)))
    }))
}

/// A timer is never early: what lies between two milliseconds is the later. What is less than a microsecond
/// is no time but what a float makes of `0.001`.
#[expect(clippy::cast_possible_truncation, reason = "it is in the range that was looked at before")]
fn millis(seconds: f64) -> i64 {
    ((seconds * 1e6).round() / 1e3).ceil() as i64
}

fn of_text(text: &str) -> Result<Timestamp, Unread> {
    let instant: Option<jiff::Timestamp> = text.parse().ok();
    let mail = || rfc2822::parse(text).ok().map(|it| it.timestamp());
    match instant.or_else(mail) {
        Some(at) => Ok(Timestamp(at.as_millisecond())),
        None if text.parse::<DateTime>().is_ok() => Err(Unread::NoZone),
        None => Err(Unread::Other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_moment_is_seconds_or_a_date_with_its_zone() {
        for (value, wanted) in [
            (json!(1_796_050_800), "2026-11-30T15:00:00Z"),
            (json!(1_796_050_800.25), "2026-11-30T15:00:00.25Z"),
            (json!(1_796_050_800.001), "2026-11-30T15:00:00.001Z"),
            (json!(1_796_050_800.000_01), "2026-11-30T15:00:00.001Z"),
            (json!("1796050800"), "2026-11-30T15:00:00Z"),
            (json!(" 1796050800.0 "), "2026-11-30T15:00:00Z"),
            (json!("2026-11-30T15:00:00Z"), "2026-11-30T15:00:00Z"),
            (json!("2026-11-30T17:00:00+02:00"), "2026-11-30T15:00:00Z"),
            (json!("2026-11-30T17:00:00.000+0200"), "2026-11-30T15:00:00Z"),
            (json!("2026-11-30 15:00Z"), "2026-11-30T15:00:00Z"),
            (json!("2026-11-30T17:00+02:00[Europe/Riga]"), "2026-11-30T15:00:00Z"),
            (json!("Mon, 30 Nov 2026 15:00:00 GMT"), "2026-11-30T15:00:00Z"),
            (json!(0), "1970-01-01T00:00:00Z"),
            // What some write for "never", and for "nothing".
            (json!(253_402_300_799_i64), "9999-12-30T22:00:00Z"),
            (json!(-62_135_596_800_i64), "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(&value).map(|it| it.to_string()).as_deref(), Ok(wanted), "{value}");
        }
    }

    #[test]
    fn another_unit_is_told_and_never_taken_for_seconds() {
        for (value, says) in [
            (json!(1_796_050_800_000_i64), "is in milliseconds (2026-11-30T15:00:00Z)"),
            (json!("1796050800000"), "is in milliseconds (2026-11-30T15:00:00Z)"),
            (json!(1_796_050_800_000.5), "is in milliseconds (2026-11-30T15:00:00.001Z)"),
            (json!(253_402_300_800_i64), "is in milliseconds (1978-01-11T21:31:40.8Z)"),
            (json!(1_796_050_800_000_000_i64), "is in microseconds (2026-11-30T15:00:00Z)"),
            (json!(1_796_050_800_000_000_000_i64), "is in nanoseconds (2026-11-30T15:00:00Z)"),
            (json!("2026-11-30T15:00:00"), "a date without a zone"),
            (json!("2026-11-30"), "a date without a zone"),
            (json!(1e300), "is no moment"),
            (json!(-1e13), "is no moment"),
            (json!("soon"), "is no moment"),
            (json!(""), "is no moment"),
            (json!("inf"), "is no moment"),
            (json!("NaN"), "is no moment"),
            (json!(true), "is no moment"),
            (json!(null), "is no moment"),
            (json!([1]), "is no moment"),
        ] {
            let error = read(&value).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("; hint: "), "{value}: {error}");
        }
        let error = read(&json!(1_796_050_800_000_i64)).unwrap_err().to_string();
        assert!(error.ends_with("hint: divide it by 1000, as in `= … // 1000`"), "{error}");
    }
}
