//! [`Ladder`]: who is told of an alarm, in what order, and what is due next. A ladder of one rung is a plain
//! `notify`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::task::Alarm;
use crate::model::time::{Span, Timestamp};
use crate::nodes::tell::{Mode, Notify};

/// More rungs than that nobody has people for.
const RUNGS_MAX: usize = 20;

/// People who are told together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// How long after the rung before; not for the first, which is told at once.
    pub after: Option<Span>,
    /// Channels in the order they are tried, or `{call: process}`.
    pub notify: Notify,
    /// The first that delivers, or all.
    #[serde(default)]
    pub mode: Mode,
}

/// The rungs, the first first; there is one at least.
#[derive(Debug)]
pub struct Ladder(Vec<Rung>);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// That rung is told now.
    Tell(u32),
    /// Nobody is told until then; for ever if there is no such moment.
    Rest(Option<Timestamp>),
}

impl Ladder {
    /// The ladder of a node's fields.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn new(
        notify: Option<Notify>,
        mode: Option<Mode>,
        rungs: Option<Vec<Rung>>,
    ) -> Result<Ladder, String> {
        match (notify, rungs) {
            (Some(notify), None) => {
                Ok(Ladder(vec![Rung { after: None, notify, mode: mode.unwrap_or_default() }]))
            }
            (None, Some(rungs)) => {
                let mut wrong = wrong(&rungs);
                if mode.is_some() {
                    wrong.push("`mode` belongs to a rung of the `ladder`".to_owned());
                }
                if wrong.is_empty() { Ok(Ladder(rungs)) } else { Err(wrong.join("; ")) }
            }
            (Some(_), Some(_)) => {
                Err("there are `notify` and `ladder`; hint: make `notify` the first rung".to_owned())
            }
            (None, None) => Err("nobody is told; hint: `notify: [author]`".to_owned()),
        }
    }

    /// The rungs, the first first.
    pub fn rungs(&self) -> &[Rung] {
        &self.0
    }

    /// That rung; the last one if the ladder has become shorter.
    pub fn rung(&self, number: u32) -> &Rung {
        &self.0[self.at(number)]
    }

    /// The rung above that, if there is one.
    pub fn above(&self, number: u32) -> Option<u32> {
        let above = number.checked_add(1)?;
        self.0.get(usize::try_from(above).ok()?).map(|_| above)
    }

    /// What is due of `alarm`; without one, the first rung.
    pub fn next(&self, alarm: Option<&Alarm>, remind: Span, now: Timestamp) -> Next {
        let Some(alarm) = alarm else { return Next::Tell(0) };
        if alarm.acknowledged.is_some() {
            return Next::Rest(None);
        }
        let (Some(told), Some(rung_told)) = (alarm.told, alarm.level_notified()) else {
            return Next::Tell(alarm.climbing.unwrap_or(0));
        };
        if let Some(climbing) = alarm.climbing {
            return Next::Tell(climbing);
        }
        let reminded = told + remind;
        let climb = self.above(alarm.rung).map(|above| (above, rung_told + self.wait(above)));
        match climb {
            Some((above, at)) if at <= now => Next::Tell(above),
            _ if reminded <= now => Next::Tell(alarm.rung),
            Some((_, at)) => Next::Rest(Some(at.min(reminded))),
            None => Next::Rest(Some(reminded)),
        }
    }

    fn wait(&self, number: u32) -> Span {
        self.rung(number).after.unwrap_or_default()
    }

    fn at(&self, number: u32) -> usize {
        usize::try_from(number).unwrap_or(usize::MAX).min(self.0.len() - 1)
    }
}

/// The rung that was asked when the world answers.
pub fn asked(alarm: Option<&Alarm>) -> u32 {
    alarm.map_or(0, |alarm| match alarm.told {
        Some(_) => alarm.climbing.unwrap_or(alarm.rung),
        None => alarm.climbing.unwrap_or(0),
    })
}

/// The alarm after `rung` was told by these channels.
pub fn heard(alarm: Alarm, rung: u32, by: Vec<String>, channels: bool, now: Timestamp) -> Alarm {
    let first = alarm.told.is_none() || rung != alarm.rung;
    let mut reached = alarm.reached;
    if channels {
        reached.extend(by.iter().filter(|it| !reached.contains(it)).cloned().collect::<Vec<_>>());
    }
    Alarm {
        told: Some(now),
        by,
        trouble: None,
        rung,
        rung_told: if first { Some(now) } else { alarm.rung_told.or(alarm.told) },
        climbing: None,
        reached,
        ..alarm
    }
}

/// The alarm after a rung that reached no one, before `above` is tried at once.
pub fn unheard(alarm: Alarm, fault: &Fault, above: Option<u32>) -> Alarm {
    Alarm { trouble: Some(fault.message.clone()), climbing: above, ..alarm }
}

fn wrong(rungs: &[Rung]) -> Vec<String> {
    let mut wrong = Vec::new();
    if rungs.is_empty() {
        wrong.push("the `ladder` has no rungs; hint: `ladder: [{notify: [author]}]`".to_owned());
    }
    if rungs.len() > RUNGS_MAX {
        wrong.push(format!("the `ladder` has {} rungs, and {RUNGS_MAX} are the most", rungs.len()));
    }
    if rungs.first().is_some_and(|it| it.after.is_some()) {
        wrong.push("the first rung is told at once; hint: leave out its `after`".to_owned());
    }
    let missing = rungs.iter().enumerate().skip(1).filter(|(_, it)| it.after.is_none());
    wrong.extend(missing.map(|(at, _)| {
        format!(
            "rung {} of the `ladder` has no `after`; hint: `after: 15m`, counted from the one before",
            at + 1
        )
    }));
    wrong
}
