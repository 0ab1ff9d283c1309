//! Times as people read them: in their zone, or how far from now.

use serde_json::Value;

use crate::engine::ports::Clock;
use crate::model::calendar::zone;
use crate::model::time::{Span, Timestamp};
use crate::outbound::clock::SystemClock;

/// Now.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// Returns after `span`, by this machine's clock.
pub async fn rest(span: Span) {
    SystemClock.at(now() + span).await;
}

/// A time of an answer; an API writes RFC 3339, our own types milliseconds.
pub fn time(value: Option<&Value>) -> Option<Timestamp> {
    match value? {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|it| Timestamp(it.as_millisecond())),
        Value::Number(number) => number.as_i64().map(Timestamp),
        _ => None,
    }
}

/// `3m ago`, `in 2h`, or nothing.
pub fn far(value: Option<&Value>, now: Timestamp) -> String {
    match time(value) {
        None => String::new(),
        Some(at) if at > now => format!("in {}", rough(at.since(now))),
        Some(at) => format!("{} ago", rough(now.since(at))),
    }
}

/// The largest two units of a span.
pub fn rough(span: Span) -> String {
    let seconds = span.0 / 1_000;
    match seconds {
        0 => format!("{}ms", span.0),
        1..60 => format!("{seconds}s"),
        60..3_600 => two(seconds, 60, "m", 1, "s"),
        3_600..86_400 => two(seconds, 3_600, "h", 60, "m"),
        _ => two(seconds, 86_400, "d", 3_600, "h"),
    }
}

fn two(seconds: u64, large: u64, large_name: &str, small: u64, small_name: &str) -> String {
    match (seconds / large, seconds % large / small) {
        (many, 0) => format!("{many}{large_name}"),
        (many, few) => format!("{many}{large_name}{few}{small_name}"),
    }
}

/// Date and time in this machine's zone.
pub fn local(value: Option<&Value>) -> String {
    format(value, "%Y-%m-%d %H:%M:%S")
}

/// The time of day to the millisecond, in this machine's zone.
pub fn of_day(value: Option<&Value>) -> String {
    format(value, "%H:%M:%S%.3f")
}

fn format(value: Option<&Value>, how: &str) -> String {
    let at = time(value).and_then(|it| jiff::Timestamp::from_millisecond(it.0).ok());
    at.map_or(String::new(), |it| it.to_zoned(zone::of_machine()).strftime(how).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_by_its_largest_units() {
        for (span, told) in [
            (Span::millis(12), "12ms"),
            (Span::secs(59), "59s"),
            (Span::secs(90), "1m30s"),
            (Span::mins(120), "2h"),
            (Span::hours(25), "1d1h"),
        ] {
            assert_eq!(rough(span), told);
        }
    }

    #[test]
    fn a_moment_is_before_or_after_now() {
        let at = Value::from("2026-11-21T05:30:00Z");
        let moment = time(Some(&at)).unwrap();
        assert_eq!(far(Some(&at), moment + Span::mins(3)), "3m ago");
        assert_eq!(far(Some(&at), moment - Span::secs(5)), "in 5s");
        assert_eq!(far(None, moment), "");
    }
}
