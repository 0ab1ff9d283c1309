//! [`Schedule`]: when a process submits tasks by itself. Pure: what is due between two moments is computed,
//! and nothing here knows what time it is.
//!
//! What daylight saving does to a cron expression stands in `model/calendar/cron.rs`; `every` knows no zone.

use jiff::Zoned;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::calendar::cron::Cron;
use crate::model::time::{Span, Timestamp};
use crate::model::value::ValueTemplate;

/// The names that the texts of a schedule can see.
pub const SEEN: [&str; 6] = ["planned", "planned_at", "date", "schedule", "var", "now"];
/// How far back missed times count if the schedule does not say.
pub const WINDOW: Span = Span::days(1);
/// The longest way back: more would be history.
pub const WINDOW_MAX: Span = Span::days(31);
/// What is looked at so long after its time is missed, as if nobody had been there.
pub const GRACE: Span = Span::mins(1);
/// How many times are planned in one look; the rest in the next.
pub const RUNS_MAX: usize = 100;
/// How far missed times are counted.
const LEFT_OUT_MAX: u64 = 1_000;

/// When a process submits tasks by itself.
#[derive(Debug)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// One line, for people.
    pub about: String,
    /// When.
    pub rhythm: Rhythm,
    /// The zone its times are told in.
    pub zone: TimeZone,
    /// That zone's name.
    pub zone_name: String,
    /// The tasks' name; the schedule's name and the planned time if it does not say.
    pub reference: Option<ValueTemplate>,
    /// What the tasks are given.
    pub params: Vec<(String, ValueTemplate)>,
    /// What becomes of a time at which the task before still lives.
    pub overlap: Overlap,
    /// What becomes of times at which nobody was there.
    pub missed: Missed,
    /// How far back missed times count.
    pub window: Span,
}

/// When.
#[derive(Debug)]
pub enum Rhythm {
    /// As a cron expression says.
    Cron(Box<Cron>),
    /// At every multiple of that span since 1970.
    Every(Span),
}

/// What becomes of a time at which the task before still lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// It waits until that task has ended.
    Queue,
    /// It makes a task all the same.
    All,
}

/// What becomes of times at which nobody was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They are left out.
    None,
    /// The last of them is made up for.
    #[default]
    Latest,
    /// All of them are made up for.
    All,
}

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The times that count, oldest first; at most [`RUNS_MAX`].
    pub runs: Vec<Timestamp>,
    /// How many were missed and do not count, up to 1,000.
    pub left_out: u64,
    /// Everything up to here has been looked at.
    pub upto: Timestamp,
}

impl Schedule {
    /// The first planned time after `at`.
    pub fn next(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.rhythm {
            Rhythm::Every(span) => {
                let span = i64::try_from(span.0).ok()?;
                Some(Timestamp(at.0.div_euclid(span).checked_add(1)?.checked_mul(span)?))
            }
            Rhythm::Cron(cron) => cron.next(&self.zone, at),
        }
    }

    /// The last planned time up to `at`, that moment included.
    pub fn previous(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.rhythm {
            Rhythm::Every(span) => {
                let span = i64::try_from(span.0).ok()?;
                Some(Timestamp(at.0.div_euclid(span).checked_mul(span)?))
            }
            Rhythm::Cron(cron) => cron.previous(&self.zone, at),
        }
    }

    /// The next `many` planned times after `at`.
    pub fn upcoming(&self, at: Timestamp, many: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next(at), |it| self.next(*it)).take(many).collect()
    }

    /// What is due at `now`, after everything up to `done` has been looked at. Somebody has been here since
    /// `since`: what was planned for before is missed.
    pub fn due(&self, done: Timestamp, since: Timestamp, now: Timestamp) -> Due {
        let begin = since.max(now - GRACE);
        let just_before = Timestamp(begin.0 - 1);
        let (missed, more) =
            if done < just_before { self.made_up(done, just_before, now) } else { (Vec::new(), false) };
        let left_out = self.count(done, just_before).saturating_sub(missed.len() as u64);
        if let (true, Some(last)) = (more, missed.last()) {
            let upto = *last;
            return Due { runs: missed, left_out: 0, upto };
        }
        let mut runs = missed;
        let mut upto = done.max(just_before.min(now));
        while let Some(at) = self.next(upto).filter(|it| *it <= now) {
            if runs.len() >= RUNS_MAX {
                return Due { runs, left_out, upto };
            }
            runs.push(at);
            upto = at;
        }
        Due { runs, left_out, upto: upto.max(now) }
    }

    /// The missed times after `done` and up to `end` that are made up for, and whether there are more.
    fn made_up(&self, done: Timestamp, end: Timestamp, now: Timestamp) -> (Vec<Timestamp>, bool) {
        let begin = done.max(Timestamp((now - self.window).0 - 1));
        match self.missed {
            Missed::None => (Vec::new(), false),
            Missed::Latest => (self.previous(end).filter(|it| *it > begin).into_iter().collect(), false),
            Missed::All => {
                let all = std::iter::successors(self.next(begin), |it| self.next(*it));
                let mut all: Vec<_> = all.take_while(|it| *it <= end).take(RUNS_MAX + 1).collect();
                let more = all.len() > RUNS_MAX;
                all.truncate(RUNS_MAX);
                (all, more)
            }
        }
    }

    /// How many times were planned after `done` and up to `end`.
    fn count(&self, done: Timestamp, end: Timestamp) -> u64 {
        let (mut at, mut count) = (done, 0);
        while let Some(next) = self.next(at).filter(|it| *it <= end && count < LEFT_OUT_MAX) {
            (at, count) = (next, count + 1);
        }
        count
    }

    /// What it is told by: a schedule that is told otherwise is another one.
    pub fn told(&self) -> String {
        match &self.rhythm {
            Rhythm::Cron(cron) => format!("{} {}", cron.as_str(), self.zone_name),
            Rhythm::Every(span) => format!("every {span}"),
        }
    }

    /// In words: `At 09:00, Monday through Friday, Europe/Riga`.
    pub fn words(&self) -> String {
        match &self.rhythm {
            Rhythm::Cron(cron) => format!("{}, {}", cron.words(), self.zone_name),
            Rhythm::Every(span) => format!("every {span}"),
        }
    }

    /// A planned time as RFC 3339 without more than it needs: `2026-11-21T09:00+02:00`.
    pub fn stamp(&self, at: Timestamp) -> String {
        let seconds = at.0.rem_euclid(60_000) != 0;
        self.written(at, if seconds { "%Y-%m-%dT%H:%M:%S%:z" } else { "%Y-%m-%dT%H:%M%:z" })
    }

    /// The day of a planned time: `2026-11-21`.
    pub fn date(&self, at: Timestamp) -> String {
        self.written(at, "%Y-%m-%d")
    }

    /// A planned time for people: `Mon 23 Nov 2026 09:00 Europe/Riga`.
    pub fn says(&self, at: Timestamp) -> String {
        let seconds = at.0.rem_euclid(60_000) != 0;
        let time = self.written(at, if seconds { "%a %-d %b %Y %H:%M:%S" } else { "%a %-d %b %Y %H:%M" });
        format!("{time} {}", self.zone_name)
    }

    fn written(&self, at: Timestamp, how: &str) -> String {
        self.local(at).map_or_else(|| at.to_string(), |it| it.strftime(how).to_string())
    }

    fn local(&self, at: Timestamp) -> Option<Zoned> {
        Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(self.zone.clone()))
    }
}

/// How far off a moment is: `in 1 d 19 h`, `in 40 s`, `now`.
pub fn ahead(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.since(now).0.div_ceil(1_000);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => "now".to_owned(),
        (0, 0, 0, seconds) => format!("in {seconds} s"),
        (0, 0, minutes, _) => format!("in {minutes} min"),
        (0, hours, 0, _) => format!("in {hours} h"),
        (0, hours, minutes, _) => format!("in {hours} h {minutes} min"),
        (days, 0, ..) => format!("in {days} d"),
        (days, hours, ..) => format!("in {days} d {hours} h"),
    }
}
