//! [`Levels`]: who is told of an alarm, in what order, and what is due next. One level alone is a plain
//! `notify`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::task::Alarm;
use crate::model::time::{Span, Timestamp};
use crate::nodes::notification::{Mode, Notify};

/// More levels than that nobody has people for.
const LEVELS_MAX: usize = 20;

/// People who are told together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationLevel {
    /// How long after the level before; not for the first, which is told at once.
    pub after: Option<Span>,
    /// Channels in the order they are tried, or `{call: process}`.
    pub notify: Notify,
    /// The first that delivers, or all.
    #[serde(default)]
    pub mode: Mode,
}

/// The levels, the first first; there is one at least.
#[derive(Debug)]
pub struct Levels(Vec<EscalationLevel>);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// That level is told now.
    Notify(u32),
    /// Nobody is told until then; for ever if there is no such moment.
    Rest(Option<Timestamp>),
}

impl Levels {
    /// The levels of a node's fields.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn new(
        notify: Option<Notify>,
        mode: Option<Mode>,
        levels: Option<Vec<EscalationLevel>>,
    ) -> Result<Levels, String> {
        match (notify, levels) {
            (Some(notify), None) => {
                Ok(Levels(vec![EscalationLevel { after: None, notify, mode: mode.unwrap_or_default() }]))
            }
            (None, Some(levels)) => {
                let mut wrong = wrong(&levels);
                if mode.is_some() {
                    wrong.push("`mode` belongs to a level of `levels`".to_owned());
                }
                if wrong.is_empty() { Ok(Levels(levels)) } else { Err(wrong.join("; ")) }
            }
            (Some(_), Some(_)) => {
                Err("there are `notify` and `levels`; hint: make `notify` the first level".to_owned())
            }
            (None, None) => Err("nobody is told; hint: `notify: [author]`".to_owned()),
        }
    }

    /// The levels, the first first.
    pub fn levels(&self) -> &[EscalationLevel] {
        &self.0
    }

    /// That level; the last one if there are fewer by now.
    pub fn level(&self, number: u32) -> &EscalationLevel {
        &self.0[self.at(number)]
    }

    /// The level above that, if there is one.
    pub fn above(&self, number: u32) -> Option<u32> {
        let above = number.checked_add(1)?;
        self.0.get(usize::try_from(above).ok()?).map(|_| above)
    }

    /// What is due of `alarm`; without one, the first level.
    pub fn next(&self, alarm: Option<&Alarm>, remind: Span, now: Timestamp) -> Next {
        let Some(alarm) = alarm else { return Next::Notify(0) };
        if alarm.acknowledged.is_some() {
            return Next::Rest(None);
        }
        let (Some(told), Some(level_notified_at)) = (alarm.notified_at, alarm.level_notified()) else {
            return Next::Notify(alarm.next_level.unwrap_or(0));
        };
        if let Some(next_level) = alarm.next_level {
            return Next::Notify(next_level);
        }
        let reminded = told + remind;
        let climb = self.above(alarm.level).map(|above| (above, level_notified_at + self.wait(above)));
        match climb {
            Some((above, at)) if at <= now => Next::Notify(above),
            _ if reminded <= now => Next::Notify(alarm.level),
            Some((_, at)) => Next::Rest(Some(at.min(reminded))),
            None => Next::Rest(Some(reminded)),
        }
    }

    fn wait(&self, number: u32) -> Span {
        self.level(number).after.unwrap_or_default()
    }

    fn at(&self, number: u32) -> usize {
        usize::try_from(number).unwrap_or(usize::MAX).min(self.0.len() - 1)
    }
}

/// The level that was asked when the world answers.
pub fn asked(alarm: Option<&Alarm>) -> u32 {
    alarm.map_or(0, |alarm| match alarm.notified_at {
        Some(_) => alarm.next_level.unwrap_or(alarm.level),
        None => alarm.next_level.unwrap_or(0),
    })
}

/// The alarm after `level` was told by these channels.
pub fn heard(alarm: Alarm, level: u32, by: Vec<String>, channels: bool, now: Timestamp) -> Alarm {
    let first = alarm.notified_at.is_none() || level != alarm.level;
    let mut reached = alarm.reached;
    if channels {
        reached.extend(by.iter().filter(|it| !reached.contains(it)).cloned().collect::<Vec<_>>());
    }
    Alarm {
        notified_at: Some(now),
        by,
        problem: None,
        level,
        level_notified_at: if first { Some(now) } else { alarm.level_notified_at.or(alarm.notified_at) },
        next_level: None,
        reached,
        ..alarm
    }
}

/// The alarm after a level that reached no one, before `above` is tried at once.
pub fn unheard(alarm: Alarm, fault: &Fault, above: Option<u32>) -> Alarm {
    Alarm { problem: Some(fault.message.clone()), next_level: above, ..alarm }
}

fn wrong(levels: &[EscalationLevel]) -> Vec<String> {
    let mut wrong = Vec::new();
    if levels.is_empty() {
        wrong.push("`levels` is empty; hint: `levels: [{notify: [author]}]`".to_owned());
    }
    if levels.len() > LEVELS_MAX {
        wrong.push(format!("`levels` has {} levels, and {LEVELS_MAX} are the most", levels.len()));
    }
    if levels.first().is_some_and(|it| it.after.is_some()) {
        wrong.push("the first level is told at once; hint: leave out its `after`".to_owned());
    }
    let missing = levels.iter().enumerate().skip(1).filter(|(_, it)| it.after.is_none());
    wrong.extend(missing.map(|(at, _)| {
        format!(
            "level {} of `levels` has no `after`; hint: `after: 15m`, counted from the one before",
            at + 1
        )
    }));
    wrong
}
