//! `Retry-After` as servers write it: seconds, with a fraction or not, any of the three dates of HTTP, ISO
//! 8601; twice, where a proxy adds its own. Read generously: too early a try costs more than too late a one.
//! Pure.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

use serde_json::Value;

use crate::model::calendar::moment::{self, Unread};
use crate::model::time::{Span, Timestamp};

/// More than that is not believed.
const MOST: Span = Span::days(1);
/// From so many seconds on it is a moment: nobody is asked to wait for fifteen years.
const EPOCH_FROM: f64 = 5e8;
/// The dates of RFC 850 and of `asctime`, without the day of the week: many have a wrong one.
const OLD_DATES: [&str; 2] = ["%d-%b-%y %H:%M:%S GMT", "%b %e %H:%M:%S %Y"];

/// How long to wait from `now` on: the longest, if several are said; none, if nothing can be read.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Span> {
    // What stands before the comma of a date is the day of the week, which says nothing.
    text.split(',').filter_map(|it| one(it.trim(), now)).max()
}

fn one(text: &str, now: Timestamp) -> Option<Span> {
    // A param behind it, quotes around it and a sign before it say nothing.
    let text = text.split(';').next().unwrap_or_default().trim().trim_matches('"').trim_start_matches('+');
    if let Some(span) = united(text) {
        return Some(span.min(MOST));
    }
    if text.starts_with(|it: char| it.is_ascii_digit() || it == '.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        if seconds >= EPOCH_FROM {
            // So many seconds are a moment: some write the time at which to come again.
            return match moment::read(&Value::from(seconds)) {
                Ok(at) | Err(Unread::Unit(_, at)) => Some(at.since(now).min(MOST)),
                Err(_) => Some(MOST),
            };
        }
        let most = std::time::Duration::from_millis(MOST.0);
        let span = std::time::Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(most).min(most);
        return Some(Span::secs(span.as_secs()));
    }
    Some(date(text)?.since(now).min(MOST))
}

/// A number with its unit: `60s`, `60 seconds`, `2 min`, `PT60S`.
fn united(text: &str) -> Option<Span> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|it| Some(Span::millis(it.as_millis().try_into().ok()?)))
}

fn date(text: &str) -> Option<Timestamp> {
    let millis = |it: jiff::Timestamp| Timestamp(it.as_millisecond());
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(millis(at));
    }
    if let Ok(at) = rfc2822::parse(text) {
        return Some(millis(at.timestamp()));
    }
    let (day, rest) = text.split_once(' ')?;
    let bare =
        if day.chars().all(|it| it.is_ascii_alphabetic()) && day.len() > 2 { rest.trim() } else { text };
    let civil = |text: &str| OLD_DATES.iter().find_map(|form| DateTime::strptime(form, text).ok());
    let at = civil(text).or_else(|| civil(bare))?;
    Some(millis(TimeZone::UTC.to_zoned(at).ok()?.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_servers_write_it() {
        // 1994-11-06 08:48:37 UTC, a Sunday.
        let now = Timestamp(784_111_717_000);
        let minute = Some(Span::secs(60));
        for (text, span) in [
            ("60", minute),
            (" 60 ", minute),
            ("59.2", minute),
            ("0.1", Some(Span::secs(1))),
            ("0", Some(Span(0))),
            ("60, 60", minute),
            ("5, 60", minute),
            ("Sun, 06 Nov 1994 08:49:37 GMT", minute),
            ("Fri, 06 Nov 1994 08:49:37 GMT", minute),
            ("Sunday, 06-Nov-94 08:49:37 GMT", minute),
            ("Sun Nov  6 08:49:37 1994", minute),
            ("1994-11-06T08:49:37Z", minute),
            ("1994-11-06T10:49:37+02:00", minute),
            ("30, Sun, 06 Nov 1994 08:49:37 GMT", minute),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(Span(0))),
            ("60s", minute),
            ("60 seconds", minute),
            ("1m", minute),
            ("PT60S", minute),
            ("+60", minute),
            ("\"60\"", minute),
            ("60; q=1", minute),
            ("784111777", minute),
            ("784111777000", minute),
            ("99999999999999999999", Some(MOST)),
            ("1e300", Some(MOST)),
            ("Thu, 06 Nov 2094 08:49:37 GMT", Some(MOST)),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("NaN", None),
            ("inf", None),
        ] {
            assert_eq!(retry_after(text, now), span, "{text}");
        }
    }
}
