//! [`Cron`]: when an expression comes, in a zone. Pure, and every search has an end.
//!
//! The crate reads the expression and knows its days. What becomes of a night that leaves an hour out or has
//! it twice is decided here, by one rule:
//!
//! * **Fixed times**: neither minute nor hour has a `*` or a step. Lists and ranges are fixed (`0 3,15`,
//!   `5,35 2`, `0 9-17`). What the night leaves out comes once, at the first moment after the gap; what it
//!   has twice comes at the first of the two.
//! * **Intervals**: all else (`*/15 * * * *`, `0 */2 * * *`, `30 * * * *`). They go by what the clock
//!   shows: an hour that is not there has none, one that is there twice has them twice. So `*/15` is always
//!   15 minutes.
//!
//! Time is cut at the moments at which the zone changes its clocks. Between two of them local time and UTC
//! differ by the same seconds, and a search is one over the calendar.

use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::model::calendar::civil::Pattern;
use crate::model::calendar::cron_text::{described, fields, proven};
use crate::model::time::Timestamp;

/// How far a plan reaches, and is looked for: a hundred years of 366 days.
const REACH: i64 = 36_600 * 86_400;
/// From here it is looked whether an expression ever comes, as nothing here knows the time: 2026-01-01.
const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// A cron expression.
#[derive(Debug)]
pub struct Cron {
    /// As the crate has it: in capitals, with numbers for names.
    written: String,
    words: String,
    pattern: Pattern,
    fixed: bool,
}

/// A time in which the clocks of a zone go evenly, in Unix seconds.
#[derive(Debug)]
struct Stretch {
    /// Its first second; `None` if it has gone so for ever.
    begin: Option<i64>,
    /// The first second after it.
    end: i64,
    /// What is added to UTC.
    offset: i64,
    /// What was added before.
    before: i64,
}

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Cron, String> {
        let bad = |why: &str| {
            let (why, hint) = why.split_once("; hint: ").unwrap_or((why, ""));
            let hint =
                if hint.is_empty() { "minute hour day month weekday, as in `0 9 * * MON-FRI`" } else { hint };
            format!("`{text}` is no cron expression: {why}; hint: {hint}")
        };
        let parsed = proven(text).map_err(|why| bad(&why))?;
        let fields = fields(parsed.as_str());
        let cron = Cron {
            written: parsed.as_str().to_owned(),
            words: described(&parsed),
            fixed: fields.is_some_and(|it| !it[1].contains(['*', '/']) && !it[2].contains(['*', '/'])),
            pattern: Pattern::new(parsed.pattern),
        };
        // In no zone a day comes that does not come in UTC.
        if cron.next(&TimeZone::UTC, EPOCH).is_none() {
            let hint = "is there such a day in the hundred years from 2026 on? February has at most 29";
            return Err(format!("this never comes: `{text}`; hint: {hint}"));
        }
        Ok(cron)
    }
}

impl Cron {
    /// The expression, in capitals and with numbers for names.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// In words, without the zone: `At 09:00, on Monday`.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The first time after `at`.
    pub fn next(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        // Plans are whole seconds: the next one is not before the next second.
        let mut from = at.0.div_euclid(1_000).checked_add(1)?;
        let reach = from.checked_add(REACH)?;
        while from < reach {
            let stretch = stretch(zone, from, reach)?;
            if let Some(found) = self.first(&stretch, from) {
                return Some(Timestamp(found * 1_000));
            }
            from = stretch.end;
        }
        None
    }

    /// The last time up to `at`, that moment included.
    pub fn previous(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        let mut upto = at.0.div_euclid(1_000);
        let reach = upto.checked_sub(REACH)?;
        while upto > reach {
            let stretch = stretch(zone, upto, upto.checked_add(1)?)?;
            if let Some(found) = self.last(&stretch, upto, reach) {
                return Some(Timestamp(found * 1_000));
            }
            upto = stretch.begin? - 1;
        }
        None
    }

    /// The first time of a stretch from `from` on.
    fn first(&self, stretch: &Stretch, from: i64) -> Option<i64> {
        let (local, end) = (from + stretch.offset, stretch.end + stretch.offset);
        match stretch.begin.filter(|_| self.fixed) {
            Some(begin) if begin == from && self.is_made_up(stretch, begin) => Some(begin),
            Some(begin) => {
                let from = local.max(begin + stretch.before.max(stretch.offset));
                self.pattern.first(from, end).map(|it| it - stretch.offset)
            }
            None => self.pattern.first(local, end).map(|it| it - stretch.offset),
        }
    }

    /// The last time of a stretch up to `upto`.
    fn last(&self, stretch: &Stretch, upto: i64, reach: i64) -> Option<i64> {
        let (begin, local) = (stretch.begin.unwrap_or(reach), upto + stretch.offset);
        let from = match self.fixed {
            true => begin + stretch.before.max(stretch.offset),
            false => begin + stretch.offset,
        };
        let found = self.pattern.last(from, local).map(|it| it - stretch.offset);
        found.or_else(|| self.is_made_up(stretch, begin).then_some(begin))
    }

    /// Whether the gap before a stretch leaves fixed times out.
    fn is_made_up(&self, stretch: &Stretch, begin: i64) -> bool {
        let gap = (begin + stretch.before, begin + stretch.offset);
        self.fixed && self.pattern.first(gap.0, gap.1).is_some()
    }
}

/// The stretch in which `at` lies, cut at `end`.
fn stretch(zone: &TimeZone, at: i64, end: i64) -> Option<Stretch> {
    let moment = jiff::Timestamp::from_second(at).ok()?;
    let offset = i64::from(zone.to_offset(moment).seconds());
    // A transition counts as before only if it is less, so the second after is asked for.
    let after = jiff::Timestamp::from_second(at.checked_add(1)?).ok()?;
    let begin = zone.preceding(after).next().map(|it| it.timestamp().as_second());
    let before = begin.and_then(|it| jiff::Timestamp::from_second(it - 1).ok());
    let before = before.map_or(offset, |it| i64::from(zone.to_offset(it).seconds()));
    let next = zone.following(moment).next().map_or(end, |it| it.timestamp().as_second());
    Some(Stretch { begin, end: next.min(end), offset, before })
}
