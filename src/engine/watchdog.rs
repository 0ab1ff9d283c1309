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
use crate::process::expiry::Life;

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
const TELLING_MAX: Span = Span::mins(1);
/// A birth that lies no further ahead than that is a clock that was corrected a little.
const AHEAD_MIN: Span = Span::mins(1);

/// A value: of which task, and which of its params.
pub type ExpiryKey = (TaskId, String);

/// What was told of a value. Kept on a shelf when the store takes it, and in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryNotices {
    /// The value, by its death: a renewed one has another.
    pub dies_at: Timestamp,
    /// When it was found.
    pub since: Timestamp,
    /// When it was last tried to tell it.
    pub tried_at: Timestamp,
    /// When somebody was told last; null while it has reached no one.
    pub told_at: Option<Timestamp>,
    /// The channels that delivered it.
    pub reached: Vec<String>,
    /// Why it has reached no one.
    pub trouble: Option<String>,
    /// The process has told somebody itself since: what it has to say more it says itself.
    pub by_process: bool,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A value needs a person, for the first time or still.
    Raise(Box<ExpiringValue>, Life),
    /// It was renewed; those who were reached are told that, unless the process does it.
    Resolve(Box<ExpiringValue>, Life, ExpiryNotices),
    /// Its task, or its value, is not among those that are known. What was told of it stays, until it is
    /// forgotten.
    Gone(ExpiryKey),
}

/// What was told, and what must be looked at.
#[derive(Debug, Default)]
pub struct Watchdog {
    told: BTreeMap<ExpiryKey, ExpiryNotices>,
    /// Values that need a person and have some time yet.
    seen: HashMap<ExpiryKey, Seen>,
    /// Values that were born ahead of the clock.
    ahead: HashMap<ExpiryKey, Seen>,
}

/// A value that was found, and until when nobody is told of it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    dies_at: Timestamp,
    until: Ticks,
}

impl Watchdog {
    /// What was told before a restart.
    pub fn load(&mut self, key: ExpiryKey, told: ExpiryNotices) {
        self.told.insert(key, told);
    }

    /// All that was told and is not over.
    pub fn open(&self) -> impl Iterator<Item = (&ExpiryKey, &ExpiryNotices)> {
        self.told.iter().filter(|(_, told)| !told.by_process)
    }

    /// What was told of that value.
    pub fn told(&self, key: &ExpiryKey) -> Option<&ExpiryNotices> {
        self.told.get(key)
    }

    /// The clock may have been set back: these tasks have values that were born ahead of it.
    pub fn saw_ahead(&mut self, now: Timestamp, tick: Ticks, living: &[ExpiringValue]) {
        for it in living {
            for life in it.lives.iter().filter(|life| is_ahead(life, now)) {
                let seen = Seen { dies_at: life.dies_at, until: tick + OVERDUE };
                self.ahead.entry((it.id, life.param.clone())).or_insert(seen);
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
        for living in due.iter().filter(|it| !is_covered(&it.standing, now)) {
            for life in living.lives.iter().filter(|it| it.warn_at <= now) {
                let key = (living.id, life.param.clone());
                if self.told.get(&key).is_some_and(|it| it.dies_at == life.dies_at) {
                    continue;
                }
                let before = self.seen.get(&key).filter(|it| it.dies_at == life.dies_at);
                let found = before.copied().unwrap_or_else(|| found(life, now, tick));
                match found.until <= tick {
                    true => notices.push(self.raise(now, living, life)),
                    false => drop(seen.insert(key, found)),
                }
            }
        }
        self.seen = seen;
        for (key, found) in std::mem::take(&mut self.ahead) {
            let Some((living, life)) = of(key.0).and_then(|it| with_life(it, &key.1)) else { continue };
            // Renewed since, or the clock has come to where it was.
            if life.dies_at != found.dies_at || !is_ahead(&life, now) {
                continue;
            }
            match found.until <= tick && !is_covered(&living.standing, now) {
                true => notices.push(self.raise(now, &living, &life)),
                false => drop(self.ahead.insert(key, found)),
            }
        }
        notices
    }

    /// How long until the next look, if nothing else happens: `next` is when the next value needs a person.
    pub fn pause(&self, now: Timestamp, tick: Ticks, next: Option<Timestamp>) -> Span {
        let again = self.open().map(|(_, told)| again_at(told)).chain(next).map(|at| at.since(now));
        let seen = self.seen.values().map(|it| it.until.since(tick));
        again.chain(seen).filter(|it| *it > Span(0)).min().unwrap_or(Span(u64::MAX))
    }

    /// What became of a try to tell it.
    pub fn heard(&mut self, key: &ExpiryKey, now: Timestamp, outcome: Result<Vec<String>, String>) {
        let Some(told) = self.told.get_mut(key) else { return };
        match outcome {
            Ok(channels) => {
                told.told_at = Some(now);
                told.trouble = None;
                let fresh: Vec<String> =
                    channels.into_iter().filter(|it| !told.reached.contains(it)).collect();
                told.reached.extend(fresh);
            }
            Err(why) => told.trouble = Some(why),
        }
    }

    /// Nobody needs to hear of that value any more.
    pub fn forget(&mut self, key: &ExpiryKey) {
        self.told.remove(key);
    }

    fn raise(&mut self, now: Timestamp, living: &ExpiringValue, life: &Life) -> Notice {
        let told = ExpiryNotices {
            dies_at: life.dies_at,
            since: now,
            tried_at: now,
            told_at: None,
            reached: Vec::new(),
            trouble: None,
            by_process: false,
        };
        self.told.insert((living.id, life.param.clone()), told);
        Notice::Raise(Box::new(living.clone()), life.clone())
    }

    fn look_at_told(&mut self, now: Timestamp, of: impl Fn(TaskId) -> Option<ExpiringValue>) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut over = Vec::new();
        for (key, told) in &mut self.told {
            let Some((living, life)) = of(key.0).and_then(|it| with_life(it, &key.1)) else {
                notices.push(Notice::Gone(key.clone()));
                continue;
            };
            if life.dies_at != told.dies_at {
                // Another value: whether that needs a person is looked at like any other's.
                over.push(key.clone());
                let mut told = told.clone();
                if told.by_process || life.warn_at <= now {
                    told.reached.clear();
                }
                notices.push(Notice::Resolve(Box::new(living), life, told));
                continue;
            }
            told.by_process |= living.standing.alarm == Some(true);
            let is_silent = told.by_process || is_covered(&living.standing, now);
            // A moment that lies ahead is of a clock that was set back since.
            if !is_silent && (again_at(told) <= now || told.tried_at > now) {
                told.tried_at = now;
                notices.push(Notice::Raise(Box::new(living), life));
            }
        }
        for key in over {
            self.told.remove(&key);
        }
        notices
    }
}

fn again_at(told: &ExpiryNotices) -> Timestamp {
    match told.told_at.filter(|_| told.trouble.is_none()) {
        Some(_) => told.tried_at + REMIND,
        None => told.tried_at + AGAIN,
    }
}

fn with_life(living: ExpiringValue, param: &str) -> Option<(ExpiringValue, Life)> {
    let life = living.lives.iter().find(|it| it.param == param).cloned()?;
    Some((living, life))
}

/// The process itself has told somebody, or is about to.
fn is_covered(standing: &ExpiringTask, now: Timestamp) -> bool {
    let is_moving = standing.due.is_some_and(|due| due + TELLING_MAX > now);
    standing.alarm.is_some_and(|is_told| is_told || is_moving)
}

/// A value that needs a person was found: how long it has yet.
fn found(life: &Life, now: Timestamp, tick: Ticks) -> Seen {
    let (grace, late) = (grace(life), now.since(life.warn_at));
    let wait = if late > Span(grace.0 + LATE_MAX.0) { OVERDUE } else { Span(grace.0.saturating_sub(late.0)) };
    Seen { dies_at: life.dies_at, until: tick + wait }
}

fn is_ahead(life: &Life, now: Timestamp) -> bool {
    life.born_at.is_some_and(|at| at > now + AHEAD_MIN)
}

/// How long after the last safe moment a value is told of here.
fn grace(life: &Life) -> Span {
    Span(life.dies_at.since(life.warn_at).0 / 10).min(GRACE_MAX)
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

    fn life(born: i64) -> Life {
        Life {
            param: "token".to_owned(),
            born_at: Some(Timestamp(born)),
            dies_at: Timestamp(born + HOUR),
            warn_at: Timestamp(born + WARN),
        }
    }

    fn living(born: i64, alarm: Option<bool>) -> ExpiringValue {
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
        ExpiringValue { id: TaskId(1), address, lives: vec![life(born)], standing, revision: 0 }
    }

    fn key() -> ExpiryKey {
        (TaskId(1), "token".to_owned())
    }

    /// What is told at `now` of that task, in a letter each; what is raised reaches somebody, if it may.
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
                Notice::Resolve(_, _, told) if told.reached.is_empty() => 'f',
                Notice::Resolve(..) => 'O',
                Notice::Gone(_) => 'g',
            });
        }
        said
    }

    #[test]
    fn it_tells_once_for_each_value_reminds_and_says_when_it_is_over() {
        let mut dog = Watchdog::default();
        let task = living(0, None);
        for (now, told) in [
            (0, ""),
            (WARN, ""),
            (WARN + 29_999, ""),
            (WARN + 30_000, "R"),
            (WARN + 40_000, ""),
            (2 * HOUR, ""),
            (WARN + 30_000 + 6 * HOUR, "R"),
            (7 * HOUR, ""),
        ] {
            assert_eq!(look(&mut dog, now, Some(&task), true), told, "{now}");
        }
        assert_eq!(look(&mut dog, 7 * HOUR, Some(&living(7 * HOUR, None)), true), "O");
        assert_eq!(dog.open().count(), 0);
        assert_eq!(look(&mut dog, 7 * HOUR + WARN + 30_000, Some(&living(7 * HOUR, None)), true), "R");
    }

    #[test]
    fn what_reached_no_one_is_tried_every_five_minutes() {
        let mut dog = Watchdog::default();
        let task = living(0, None);
        let at = WARN + 30_000;
        for (now, told) in [(at, "R"), (at + 299_999, ""), (at + 300_000, "R"), (at + 600_000, "R")] {
            assert_eq!(look(&mut dog, now, Some(&task), false), told, "{now}");
        }
        assert_eq!(dog.told(&key()).unwrap().trouble.as_deref(), Some("no channel"));
        assert_eq!(look(&mut dog, at + 900_000, Some(&task), true), "R");
        assert_eq!(look(&mut dog, at + 1_200_000, Some(&task), true), "");
        assert_eq!(look(&mut dog, 2 * HOUR, Some(&living(2 * HOUR, None)), true), "O");
    }

    #[test]
    fn where_the_process_has_told_somebody_it_keeps_silent() {
        let mut dog = Watchdog::default();
        let at = WARN + 30_000;
        assert_eq!(look(&mut dog, at, Some(&living(0, Some(true))), true), "");
        // Its alarm is over, and the value is no other.
        assert_eq!(look(&mut dog, at + 60_000, Some(&living(0, None)), true), "", "it may be renewed");
        assert_eq!(look(&mut dog, at + 180_000, Some(&living(0, None)), true), "R");
        assert_eq!(look(&mut dog, at + 240_000, Some(&living(0, Some(true))), true), "");
        assert_eq!(dog.open().count(), 0, "the process says it now, also when it is over");
        assert_eq!(look(&mut dog, at + 9 * HOUR, Some(&living(0, Some(true))), true), "");
        assert_eq!(look(&mut dog, at + 9 * HOUR, Some(&living(10 * HOUR, None)), true), "f");
    }

    #[test]
    fn an_alarm_that_the_process_is_about_to_tell_is_left_to_it() {
        let mut dog = Watchdog::default();
        let (mut task, at) = (living(0, Some(false)), WARN + 30_000);
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
        let task = living(0, None);
        let at = 9 * HOUR;
        assert_eq!(look(&mut dog, at, Some(&task), true), "");
        assert_eq!(look(&mut dog, at + 119_000, Some(&task), true), "");
        assert_eq!(look(&mut dog, at + 119_500, Some(&living(at + 119_000, None)), true), "");
        assert_eq!(look(&mut dog, 2 * at, Some(&task), true), "");
        assert_eq!(look(&mut dog, 2 * at + 120_000, Some(&task), true), "R");
    }

    #[test]
    fn a_life_of_half_a_minute_has_no_half_minute_of_grace() {
        let mut dog = Watchdog::default();
        let short = Life { dies_at: Timestamp(30_000), warn_at: Timestamp(25_000), ..life(0) };
        let task = ExpiringValue { lives: vec![short], ..living(0, None) };
        assert_eq!(look(&mut dog, 25_400, Some(&task), true), "");
        assert_eq!(look(&mut dog, 25_500, Some(&task), true), "R");
    }

    #[test]
    fn a_value_that_was_born_by_a_clock_that_was_ahead_has_two_minutes() {
        let mut dog = Watchdog::default();
        let (task, now) = (living(2 * HOUR, None), 1_000_000);
        dog.saw_ahead(Timestamp(now), Ticks(now.unsigned_abs()), std::slice::from_ref(&task));
        assert_eq!(look(&mut dog, now + 119_999, Some(&task), true), "");
        assert_eq!(look(&mut dog, now + 120_000, Some(&task), true), "R");
        assert_eq!(look(&mut dog, now + 180_000, Some(&living(now + 170_000, None)), true), "O");
        // Renewed in time, it is no matter.
        dog.saw_ahead(Timestamp(now), Ticks(now.unsigned_abs()), std::slice::from_ref(&task));
        assert_eq!(look(&mut dog, now + 600_000, Some(&living(now + 1_000, None)), true), "");
    }

    #[test]
    fn what_was_told_stays_while_its_task_is_not_known() {
        let mut dog = Watchdog::default();
        let (task, at) = (living(0, None), WARN + 30_000);
        assert_eq!(look(&mut dog, at, Some(&task), true), "R");
        assert_eq!(look(&mut dog, at + 1_000, None, true), "g");
        assert_eq!(look(&mut dog, at + 2_000, Some(&task), true), "", "it is not told again");
        dog.forget(&key());
        assert_eq!(look(&mut dog, at + 3_000, None, true), "");
    }
}
