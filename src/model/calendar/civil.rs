//! [`Pattern`]: which times of a calendar a cron expression names, whatever a zone makes of them. Every
//! search ends after at most one step for each day between its two ends.
//!
//! A local time is counted in seconds since 1970-01-01T00:00 on the clock of the zone, as if each day had
//! 86,400 of them. So the search knows no zone.

use croner::{CronPattern, Weekday};
use jiff::civil::{Date, DateTime};

/// Seconds of a day on a clock.
const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// The times that an expression names.
#[derive(Debug)]
pub(super) struct Pattern {
    days: CronPattern,
    hours: u64,
    minutes: u64,
    seconds: u64,
}

impl Pattern {
    pub(super) fn new(pattern: CronPattern) -> Pattern {
        let bits = |values: Vec<u16>| values.iter().fold(0u64, |bits, it| bits | 1 << it);
        let (hours, minutes) = (bits(pattern.hours.values()), bits(pattern.minutes.values()));
        Pattern { hours, minutes, seconds: bits(pattern.seconds.values()), days: pattern }
    }

    /// The first time from `from` on and before `end`.
    pub(super) fn first(&self, from: i64, end: i64) -> Option<i64> {
        let (mut day, mut second) = (from.div_euclid(DAY), from.rem_euclid(DAY));
        while day * DAY + second < end {
            let date = date(day)?;
            let next = match self.fits(date) {
                Fit::Year => Date::new(date.year().checked_add(1)?, 1, 1).ok()?,
                Fit::Month => date.last_of_month().tomorrow().ok()?,
                Fit::Day => date.tomorrow().ok()?,
                Fit::All => match self.from(second) {
                    Some(found) => return Some(day * DAY + found).filter(|it| *it < end),
                    None => date.tomorrow().ok()?,
                },
            };
            (day, second) = (number(next), 0);
        }
        None
    }

    /// The last time up to `upto`, that included, and from `begin` on.
    pub(super) fn last(&self, begin: i64, upto: i64) -> Option<i64> {
        let (mut day, mut second) = (upto.div_euclid(DAY), upto.rem_euclid(DAY));
        while day * DAY + second >= begin {
            let date = date(day)?;
            let next = match self.fits(date) {
                Fit::Year => Date::new(date.year().checked_sub(1)?, 12, 31).ok()?,
                Fit::Month => date.first_of_month().yesterday().ok()?,
                Fit::Day => date.yesterday().ok()?,
                Fit::All => match self.upto(second) {
                    Some(found) => return Some(day * DAY + found).filter(|it| *it >= begin),
                    None => date.yesterday().ok()?,
                },
            };
            (day, second) = (number(next), DAY - 1);
        }
        None
    }

    fn fits(&self, date: Date) -> Fit {
        let (year, month, day) = (i32::from(date.year()), unsigned(date.month()), unsigned(date.day()));
        let weekday = Weekday::from_days_from_sunday(unsigned(date.weekday().to_sunday_zero_offset()));
        match () {
            () if !self.days.year_match(year).unwrap_or(false) => Fit::Year,
            () if !self.days.month_match(month).unwrap_or(false) => Fit::Month,
            () if !self.days.day_match(year, month, day, weekday).unwrap_or(false) => Fit::Day,
            () => Fit::All,
        }
    }

    /// The first second of a day from `second` on.
    fn from(&self, second: i64) -> Option<i64> {
        let (hour, minute) = (second / HOUR, second / 60 % 60);
        let in_minute = || Some(hour * HOUR + minute * 60 + at_least(self.seconds, second % 60)?);
        let in_hour =
            |minute| Some(hour * HOUR + at_least(self.minutes, minute)? * 60 + first(self.seconds)?);
        let in_day = |hour| {
            Some(at_least(self.hours, hour)? * HOUR + first(self.minutes)? * 60 + first(self.seconds)?)
        };
        let this_hour = has(self.hours, hour);
        let this_minute = this_hour && has(self.minutes, minute);
        (if this_minute { in_minute() } else { None })
            .or_else(|| if this_hour { in_hour(minute + 1) } else { None })
            .or_else(|| in_day(hour + 1))
    }

    /// The last second of a day up to `second`.
    fn upto(&self, second: i64) -> Option<i64> {
        let (hour, minute) = (second / HOUR, second / 60 % 60);
        let in_minute = || Some(hour * HOUR + minute * 60 + at_most(self.seconds, second % 60)?);
        let in_hour = |minute| Some(hour * HOUR + at_most(self.minutes, minute)? * 60 + last(self.seconds)?);
        let in_day =
            |hour| Some(at_most(self.hours, hour)? * HOUR + last(self.minutes)? * 60 + last(self.seconds)?);
        let this_hour = has(self.hours, hour);
        let this_minute = this_hour && has(self.minutes, minute);
        (if this_minute { in_minute() } else { None })
            .or_else(|| if this_hour { in_hour(minute - 1) } else { None })
            .or_else(|| in_day(hour - 1))
    }
}

/// How far a day fits.
enum Fit {
    /// Not even its year does.
    Year,
    Month,
    Day,
    All,
}

fn date(day: i64) -> Option<Date> {
    let at = jiff::Timestamp::from_second(day.checked_mul(DAY)?).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(at).date())
}

fn number(date: Date) -> i64 {
    let at = jiff::tz::Offset::UTC.to_timestamp(DateTime::from(date));
    // Every date of jiff is a moment in UTC.
    at.map_or(i64::MAX / DAY, |it| it.as_second().div_euclid(DAY))
}

fn unsigned(value: i8) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn has(bits: u64, value: i64) -> bool {
    bits >> value & 1 == 1
}

fn first(bits: u64) -> Option<i64> {
    at_least(bits, 0)
}

fn last(bits: u64) -> Option<i64> {
    at_most(bits, 63)
}

/// The least of these values that is not less than `value`.
fn at_least(bits: u64, value: i64) -> Option<i64> {
    let rest = bits & u64::MAX.checked_shl(u32::try_from(value).ok()?)?;
    (rest != 0).then(|| i64::from(rest.trailing_zeros()))
}

/// The greatest of these values that is not greater than `value`.
fn at_most(bits: u64, value: i64) -> Option<i64> {
    let rest = bits & u64::MAX.checked_shr(63 - u32::try_from(value).ok()?)?;
    (rest != 0).then(|| i64::from(rest.ilog2()))
}
