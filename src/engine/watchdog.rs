//! [`Watchdog`]: whoever is to be told of a value that is about to die is told, whatever node its task stands
//! on and why. Pure: what is due to be told is decided here; who tells it, and keeps that it was told, is the
//! service.
//!
//! A process that looks after its values raises its own alarm; where that is open and somebody was told, or
//! it is being told, this one keeps silent. It is for the task that cannot: its host is closed, there is no
//! place for it, its process rests, the disk is full, its due moment is wrong.
//!
//! Moments are by the wall clock, and patience is counted in ticks: after a stop, a suspend or a step of the
//! clock all values may be past their moment at once, and most are renewed in the first minute.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::engine::expiries::{ExpiringTask, ExpiringValue};
use crate::model::names::TaskId;
use crate::model::time::{Span, Ticks, Timestamp};
use crate::process::expiry::Expiry;

/// The process's own alarm has so long to go first, or a tenth of what is left of the value's life.
const GRACE_MAX: Span = Span::secs(30);
/// A value that is past its moment when it is seen first has so long to be renewed.
const OVERDUE: Span = Span::mins(2);
/// So late the first look may be for a value to count as seen in time.
const LATE_MAX: Span = Span::secs(10);
/// A person is reminded so often while it lasts.
const REMIND: Span = Span::hours(6);
/// What reached no one is tried again so soon.
const AGAIN: Span = Span::mins(5);
/// An alarm that its process is still to tell is told by then.
const NOTIFYING_MAX: Span = Span::mins(1);
/// A birth that lies no further ahead than that is a clock that was corrected a little.
const AHEAD_MIN: Span = Span::mins(1);

/// A value: of which task, and which of its params.
pub type ExpiryKey = (TaskId, String);

/// What was told of a value. Kept in a collection when the store takes it, and in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryNotices {
    /// The value, by its death: a renewed one has another.
    pub expires_at: Timestamp,
    /// When it was found.
    pub since: Timestamp,
    /// When it was last tried to tell it.
    pub tried_at: Timestamp,
    /// When somebody was told last; null while it has reached no one.
    pub notified_at: Option<Timestamp>,
    /// The channels that delivered it.
    pub reached: Vec<String>,
    /// Why it has reached no one.
    pub problem: Option<String>,
    /// The process has told somebody itself since: what it has to say more it says itself.
    pub by_process: bool,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A value needs a person, for the first time or still.
    Raise(Box<ExpiringValue>, Expiry),
    /// It was renewed; those who were reached are told that, unless the process does it.
    Resolve(Box<ExpiringValue>, Expiry, ExpiryNotices),
    /// Its task, or its value, is not among those that are known. What was told of it stays, until it is
    /// forgotten.
    Gone(ExpiryKey),
}

/// What was told, and what must be looked at.
#[derive(Debug, Default)]
pub struct Watchdog {
    known: BTreeMap<ExpiryKey, ExpiryNotices>,
    /// Values that need a person and have some time yet.
    seen: HashMap<ExpiryKey, Seen>,
    /// Values that were born ahead of the clock.
    ahead: HashMap<ExpiryKey, Seen>,
}

/// A value that was found, and until when nobody is told of it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    expires_at: Timestamp,
    until: Ticks,
}

impl Watchdog {
    /// What was told before a restart.
    pub fn load(&mut self, key: ExpiryKey, known: ExpiryNotices) {
        self.known.insert(key, known);
    }

    /// All that was told and is not over.
    pub fn open(&self) -> impl Iterator<Item = (&ExpiryKey, &ExpiryNotices)> {
        self.known.iter().filter(|(_, known)| !known.by_process)
    }

    /// What was told of that value.
    pub fn known(&self, key: &ExpiryKey) -> Option<&ExpiryNotices> {
        self.known.get(key)
    }

    /// The clock may have been set back: these tasks have values that were born ahead of it.
    pub fn saw_ahead(&mut self, now: Timestamp, tick: Ticks, expiring: &[ExpiringValue]) {
        for it in expiring {
            for expiry in it.expiries.iter().filter(|expiry| is_ahead(expiry, now)) {
                let seen = Seen { expires_at: expiry.expires_at, until: tick + OVERDUE };
                self.ahead.entry((it.id, expiry.param.clone())).or_insert(seen);
            }
        }
    }

    /// What is to be told at `now`, of the tasks with a value that needs a person (`due`) and of those that
    /// were told of; `of` gives what is known of a task.
    pub fn look(
        &mut self,
        now: Timestamp,
        tick: Ticks,
        due: &[ExpiringValue],
        of: impl Fn(TaskId) -> Option<ExpiringValue>,
    ) -> Vec<Notice> {
        let mut notices = self.look_at_told(now, &of);
        let mut seen = HashMap::new();
        for expiring in due.iter().filter(|it| !is_covered(&it.standing, now)) {
            for expiry in expiring.expiries.iter().filter(|it| it.warn_at <= now) {
                let key = (expiring.id, expiry.param.clone());
                if self.known.get(&key).is_some_and(|it| it.expires_at == expiry.expires_at) {
                    continue;
                }
                let before = self.seen.get(&key).filter(|it| it.expires_at == expiry.expires_at);
                let found = before.copied().unwrap_or_else(|| found(expiry, now, tick));
                match found.until <= tick {
                    true => notices.push(self.raise(now, expiring, expiry)),
                    false => drop(seen.insert(key, found)),
                }
            }
        }
        self.seen = seen;
        for (key, found) in std::mem::take(&mut self.ahead) {
            let Some((expiring, expiry)) = of(key.0).and_then(|it| with_expiry(it, &key.1)) else { continue };
            // Renewed since, or the clock has come to where it was.
            if expiry.expires_at != found.expires_at || !is_ahead(&expiry, now) {
                continue;
            }
            match found.until <= tick && !is_covered(&expiring.standing, now) {
                true => notices.push(self.raise(now, &expiring, &expiry)),
                false => drop(self.ahead.insert(key, found)),
            }
        }
        notices
    }

    /// How long until the next look, if nothing else happens: `next` is when the next value needs a person.
    pub fn pause(&self, now: Timestamp, tick: Ticks, next: Option<Timestamp>) -> Span {
        let again = self.open().map(|(_, known)| again_at(known)).chain(next).map(|at| at.since(now));
        let seen = self.seen.values().map(|it| it.until.since(tick));
        again.chain(seen).filter(|it| *it > Span(0)).min().unwrap_or(Span(u64::MAX))
    }

    /// What became of a try to tell it.
    pub fn heard(&mut self, key: &ExpiryKey, now: Timestamp, outcome: Result<Vec<String>, String>) {
        let Some(known) = self.known.get_mut(key) else { return };
        match outcome {
            Ok(channels) => {
                known.notified_at = Some(now);
                known.problem = None;
                let fresh: Vec<String> =
                    channels.into_iter().filter(|it| !known.reached.contains(it)).collect();
                known.reached.extend(fresh);
            }
            Err(why) => known.problem = Some(why),
        }
    }

    /// Nobody needs to hear of that value any more.
    pub fn forget(&mut self, key: &ExpiryKey) {
        self.known.remove(key);
    }

    fn raise(&mut self, now: Timestamp, expiring: &ExpiringValue, expiry: &Expiry) -> Notice {
        let known = ExpiryNotices {
            expires_at: expiry.expires_at,
            since: now,
            tried_at: now,
            notified_at: None,
            reached: Vec::new(),
            problem: None,
            by_process: false,
        };
        self.known.insert((expiring.id, expiry.param.clone()), known);
        Notice::Raise(Box::new(expiring.clone()), expiry.clone())
    }

    fn look_at_told(&mut self, now: Timestamp, of: impl Fn(TaskId) -> Option<ExpiringValue>) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut over = Vec::new();
        for (key, known) in &mut self.known {
            let Some((expiring, expiry)) = of(key.0).and_then(|it| with_expiry(it, &key.1)) else {
                notices.push(Notice::Gone(key.clone()));
                continue;
            };
            if expiry.expires_at != known.expires_at {
                // Another value: whether that needs a person is looked at like any other's.
                over.push(key.clone());
                let mut known = known.clone();
                if known.by_process || expiry.warn_at <= now {
                    known.reached.clear();
                }
                notices.push(Notice::Resolve(Box::new(expiring), expiry, known));
                continue;
            }
            known.by_process |= expiring.standing.alarm == Some(true);
            let is_silent = known.by_process || is_covered(&expiring.standing, now);
            // A moment that lies ahead is of a clock that was set back since.
            if !is_silent && (again_at(known) <= now || known.tried_at > now) {
                known.tried_at = now;
                notices.push(Notice::Raise(Box::new(expiring), expiry));
            }
        }
        for key in over {
            self.known.remove(&key);
        }
        notices
    }
}

fn again_at(known: &ExpiryNotices) -> Timestamp {
    match known.notified_at.filter(|_| known.problem.is_none()) {
        Some(_) => known.tried_at + REMIND,
        None => known.tried_at + AGAIN,
    }
}

fn with_expiry(expiring: ExpiringValue, param: &str) -> Option<(ExpiringValue, Expiry)> {
    let expiry = expiring.expiries.iter().find(|it| it.param == param).cloned()?;
    Some((expiring, expiry))
}

/// The process itself has told somebody, or is about to.
fn is_covered(standing: &ExpiringTask, now: Timestamp) -> bool {
    let is_moving = standing.due.is_some_and(|due| due + NOTIFYING_MAX > now);
    standing.alarm.is_some_and(|is_notified| is_notified || is_moving)
}

/// A value that needs a person was found: how long it has yet.
fn found(expiry: &Expiry, now: Timestamp, tick: Ticks) -> Seen {
    let (grace, late) = (grace(expiry), now.since(expiry.warn_at));
    let wait = if late > Span(grace.0 + LATE_MAX.0) { OVERDUE } else { Span(grace.0.saturating_sub(late.0)) };
    Seen { expires_at: expiry.expires_at, until: tick + wait }
}

fn is_ahead(expiry: &Expiry, now: Timestamp) -> bool {
    expiry.issued_at.is_some_and(|at| at > now + AHEAD_MIN)
}

/// How long after the last safe moment a value is told of here.
fn grace(expiry: &Expiry) -> Span {
    Span(expiry.expires_at.since(expiry.warn_at).0 / 10).min(GRACE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::expiries::ExpiringTask;
    use crate::model::names::{Address, NodeName, ProcessId, Ref};
    use crate::model::task::Phase;

    const HOUR: i64 = 3_600_000;
    /// Ten minutes before its end a person is needed.
    const WARN: i64 = HOUR - 600_000;

    fn expiry(born: i64) -> Expiry {
        Expiry {
            param: "token".to_owned(),
            issued_at: Some(Timestamp(born)),
            expires_at: Timestamp(born + HOUR),
            warn_at: Timestamp(born + WARN),
        }
    }

    fn expiring(born: i64, alarm: Option<bool>) -> ExpiringValue {
        let standing = ExpiringTask {
            shown: "a".to_owned(),
            node: NodeName::new("renew").unwrap(),
            since: Timestamp(born),
            phase: Phase::Ready,
            due: Some(Timestamp(born + 9 * HOUR)),
            awaits: Some("room at `x`".to_owned()),
            alarm,
        };
        let address = Address { process: ProcessId::new("p").unwrap(), reference: Ref::new("a").unwrap() };
        ExpiringValue { id: TaskId(1), address, expiries: vec![expiry(born)], standing, revision: 0 }
    }

    fn key() -> ExpiryKey {
        (TaskId(1), "token".to_owned())
    }

    /// What is told at `now` of that task, in a signal each; what is raised reaches somebody, if it may.
    fn look(dog: &mut Watchdog, now: i64, task: Option<&ExpiringValue>, reaches: bool) -> String {
        let (tick, now) = (Ticks(now.unsigned_abs()), Timestamp(now));
        let due: Vec<ExpiringValue> = task.filter(|it| it.warn_at() <= now).cloned().into_iter().collect();
        let notices = dog.look(now, tick, &due, |_| task.cloned());
        let mut said = String::new();
        for notice in notices {
            said.push(match notice {
                Notice::Raise(..) => {
                    let outcome =
                        if reaches { Ok(vec!["duty".to_owned()]) } else { Err("no channel".to_owned()) };
                    dog.heard(&key(), now, outcome);
                    'R'
                }
                Notice::Resolve(_, _, known) if known.reached.is_empty() => 'f',
                Notice::Resolve(..) => 'O',
                Notice::Gone(_) => 'g',
            });
        }
        said
    }

    #[test]
    fn it_tells_once_for_each_value_reminds_and_says_when_it_is_over() {
        let mut dog = Watchdog::default();
        let task = expiring(0, None);
        for (now, known) in [
            (0, ""),
            (WARN, ""),
            (WARN + 29_999, ""),
            (WARN + 30_000, "R"),
            (WARN + 40_000, ""),
            (2 * HOUR, ""),
            (WARN + 30_000 + 6 * HOUR, "R"),
            (7 * HOUR, ""),
        ] {
            assert_eq!(look(&mut dog, now, Some(&task), true), known, "{now}");
        }
        assert_eq!(look(&mut dog, 7 * HOUR, Some(&expiring(7 * HOUR, None)), true), "O");
        assert_eq!(dog.open().count(), 0);
        assert_eq!(look(&mut dog, 7 * HOUR + WARN + 30_000, Some(&expiring(7 * HOUR, None)), true), "R");
    }

    #[test]
    fn what_reached_no_one_is_tried_every_five_minutes() {
        let mut dog = Watchdog::default();
        let task = expiring(0, None);
        let at = WARN + 30_000;
        for (now, known) in [(at, "R"), (at + 299_999, ""), (at + 300_000, "R"), (at + 600_000, "R")] {
            assert_eq!(look(&mut dog, now, Some(&task), false), known, "{now}");
        }
        assert_eq!(dog.known(&key()).unwrap().problem.as_deref(), Some("no channel"));
        assert_eq!(look(&mut dog, at + 900_000, Some(&task), true), "R");
        assert_eq!(look(&mut dog, at + 1_200_000, Some(&task), true), "");
        assert_eq!(look(&mut dog, 2 * HOUR, Some(&expiring(2 * HOUR, None)), true), "O");
    }

    #[test]
    fn where_the_process_has_told_somebody_it_keeps_silent() {
        let mut dog = Watchdog::default();
        let at = WARN + 30_000;
        assert_eq!(look(&mut dog, at, Some(&expiring(0, Some(true))), true), "");
        // Its alarm is over, and the value is no other.
        assert_eq!(look(&mut dog, at + 60_000, Some(&expiring(0, None)), true), "", "it may be renewed");
        assert_eq!(look(&mut dog, at + 180_000, Some(&expiring(0, None)), true), "R");
        assert_eq!(look(&mut dog, at + 240_000, Some(&expiring(0, Some(true))), true), "");
        assert_eq!(dog.open().count(), 0, "the process says it now, also when it is over");
        assert_eq!(look(&mut dog, at + 9 * HOUR, Some(&expiring(0, Some(true))), true), "");
        assert_eq!(look(&mut dog, at + 9 * HOUR, Some(&expiring(10 * HOUR, None)), true), "f");
    }

    #[test]
    fn an_alarm_that_the_process_is_about_to_tell_is_left_to_it() {
        let mut dog = Watchdog::default();
        let (mut task, at) = (expiring(0, Some(false)), WARN + 30_000);
        task.standing.due = Some(Timestamp(at));
        assert_eq!(look(&mut dog, at, Some(&task), true), "");
        assert_eq!(look(&mut dog, at + 59_000, Some(&task), true), "");
        // It should have been told by now.
        assert_eq!(look(&mut dog, at + 60_000, Some(&task), true), "");
        assert_eq!(look(&mut dog, at + 180_000, Some(&task), true), "R");
        assert_eq!(dog.open().count(), 1);
    }

    #[test]
    fn after_a_stop_or_a_suspend_a_value_has_two_minutes_to_be_renewed() {
        let mut dog = Watchdog::default();
        let task = expiring(0, None);
        let at = 9 * HOUR;
        assert_eq!(look(&mut dog, at, Some(&task), true), "");
        assert_eq!(look(&mut dog, at + 119_000, Some(&task), true), "");
        assert_eq!(look(&mut dog, at + 119_500, Some(&expiring(at + 119_000, None)), true), "");
        assert_eq!(look(&mut dog, 2 * at, Some(&task), true), "");
        assert_eq!(look(&mut dog, 2 * at + 120_000, Some(&task), true), "R");
    }

    #[test]
    fn a_life_of_half_a_minute_has_no_half_minute_of_grace() {
        let mut dog = Watchdog::default();
        let short = Expiry { expires_at: Timestamp(30_000), warn_at: Timestamp(25_000), ..expiry(0) };
        let task = ExpiringValue { expiries: vec![short], ..expiring(0, None) };
        assert_eq!(look(&mut dog, 25_400, Some(&task), true), "");
        assert_eq!(look(&mut dog, 25_500, Some(&task), true), "R");
    }

    #[test]
    fn a_value_that_was_born_by_a_clock_that_was_ahead_has_two_minutes() {
        let mut dog = Watchdog::default();
        let (task, now) = (expiring(2 * HOUR, None), 1_000_000);
        dog.saw_ahead(Timestamp(now), Ticks(now.unsigned_abs()), std::slice::from_ref(&task));
        assert_eq!(look(&mut dog, now + 119_999, Some(&task), true), "");
        assert_eq!(look(&mut dog, now + 120_000, Some(&task), true), "R");
        assert_eq!(look(&mut dog, now + 180_000, Some(&expiring(now + 170_000, None)), true), "O");
        // Renewed in time, it is no matter.
        dog.saw_ahead(Timestamp(now), Ticks(now.unsigned_abs()), std::slice::from_ref(&task));
        assert_eq!(look(&mut dog, now + 600_000, Some(&expiring(now + 1_000, None)), true), "");
    }

    #[test]
    fn what_was_told_stays_while_its_task_is_not_known() {
        let mut dog = Watchdog::default();
        let (task, at) = (expiring(0, None), WARN + 30_000);
        assert_eq!(look(&mut dog, at, Some(&task), true), "R");
        assert_eq!(look(&mut dog, at + 1_000, None, true), "g");
        assert_eq!(look(&mut dog, at + 2_000, Some(&task), true), "", "it is not known again");
        dog.forget(&key());
        assert_eq!(look(&mut dog, at + 3_000, None, true), "");
    }
}
