//! [`FlowCounts`]: how many tasks came into each process, and how many ended, in each five minutes of the
//! last day.
//!
//! Counted by the runner from what it has committed, in memory: a look at it costs no look at a task. It is
//! told of births and ends only, so a move costs nothing. The service keeps it from time to time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::names::ProcessId;
use crate::model::time::{Span, Timestamp};

/// How long one count is.
pub const STRIDE: Span = Span::mins(5);
/// How many of them are an hour.
pub const HOUR: i64 = 12;
/// How many are remembered: a day, and the hour that is not over.
const STRIDES_MAX: i64 = 25 * HOUR;

/// What happened in five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Which five minutes, counted from 1970.
    pub at: i64,
    /// Tasks that came in: new ones, and ended ones that were brought back.
    pub came: u64,
    /// Tasks that ended, well or badly.
    pub ended: u64,
    /// Those of them that failed.
    pub failed: u64,
}

/// What happened in a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// From when on all is counted; none: from the start of this engine.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Five minutes in which something happened, oldest first.
    #[serde(default)]
    pub tallies: VecDeque<Tally>,
}

/// What happened in each process.
#[derive(Debug, Default)]
pub struct FlowCounts(Mutex<HashMap<ProcessId, (Counted, bool)>>);

/// The number of the five minutes of a moment.
pub fn stride(at: Timestamp) -> i64 {
    at.0.div_euclid(i64::try_from(STRIDE.0).unwrap_or(i64::MAX))
}

impl FlowCounts {
    /// So many came in, ended, and failed. `failed` is part of `ended`.
    pub fn note(&self, process: &ProcessId, at: Timestamp, [came, ended, failed]: [u64; 3]) {
        let mut all = self.lock();
        if !all.contains_key(process) {
            all.insert(process.clone(), (Counted::default(), true));
        }
        if let Some((counted, changed)) = all.get_mut(process) {
            *changed = true;
            let tally = counted.tally(stride(at));
            tally.came += came;
            tally.ended += ended;
            tally.failed += failed;
        }
    }

    /// What happened in a process.
    pub fn of(&self, process: &ProcessId) -> Counted {
        self.lock().get(process).map(|(counted, _)| counted.clone()).unwrap_or_default()
    }

    /// Takes what was kept of a process.
    pub fn load(&self, process: ProcessId, counted: Counted) {
        self.lock().insert(process, (counted, false));
    }

    /// What has changed since this was asked last.
    pub fn changed(&self) -> Vec<(ProcessId, Counted)> {
        let mut all = self.lock();
        let changed = all.iter_mut().filter_map(|(process, (counted, changed))| {
            std::mem::take(changed).then(|| (process.clone(), counted.clone()))
        });
        changed.collect()
    }

    /// What was given by [`FlowCounts::changed`] could not be kept.
    pub fn unkept(&self, process: &ProcessId) {
        if let Some((_, changed)) = self.lock().get_mut(process) {
            *changed = true;
        }
    }

    /// The process is gone.
    pub fn forget(&self, process: &ProcessId) {
        self.lock().remove(process);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProcessId, (Counted, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// What happened in the hours before `now`, the newest first; the five minutes that are not over belong
    /// to the newest. Each tally is at its first five minutes.
    pub fn hours(&self, now: Timestamp, many: usize) -> Vec<Tally> {
        let end = stride(now);
        let firsts = (1..).take(many).map(|hour: i64| end + 1 - hour * HOUR);
        let hour = |first: i64| {
            let within = self.tallies.iter().filter(|it| (first..first + HOUR).contains(&it.at));
            within.fold(Tally { at: first, ..Tally::default() }, |sum, it| Tally {
                at: sum.at,
                came: sum.came + it.came,
                ended: sum.ended + it.ended,
                failed: sum.failed + it.failed,
            })
        };
        firsts.map(hour).collect()
    }

    /// The count for those five minutes.
    fn tally(&mut self, at: i64) -> &mut Tally {
        // A clock that was set back: what stands in its future is no count of the last day. Two batches end
        // in no order, so the five minutes after may have begun.
        while self.tallies.back().is_some_and(|it| it.at > at + 1) {
            self.tallies.pop_back();
        }
        if self.tallies.back().is_none_or(|it| it.at < at) {
            self.tallies.push_back(Tally { at, ..Tally::default() });
            while self.tallies.front().is_some_and(|it| it.at <= at - STRIDES_MAX) {
                self.tallies.pop_front();
            }
        }
        let last = self.tallies.len() - 1;
        &mut self.tallies[last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Timestamp {
        Timestamp(1_700_000_100_000) + Span::mins(minutes)
    }

    #[test]
    fn hours_are_counted_back_from_now() {
        let (flow, shop) = (FlowCounts::default(), ProcessId::new("shop").unwrap());
        for minutes in [0, 1, 4, 58, 61, 125] {
            flow.note(&shop, at(minutes), [1, 0, 0]);
        }
        flow.note(&shop, at(125), [0, 2, 1]);
        let hours = flow.of(&shop).hours(at(125), 3);
        let counts: Vec<[u64; 3]> = hours.iter().map(|it| [it.came, it.ended, it.failed]).collect();
        assert_eq!(counts, [[1, 2, 1], [2, 0, 0], [3, 0, 0]]);
        assert_eq!(hours[0].at, stride(at(125)) - HOUR + 1);
    }

    #[test]
    fn no_more_than_a_day_is_remembered() {
        let mut counted = Counted::default();
        for minutes in (0..3 * 1_440).step_by(5) {
            counted.tally(stride(at(minutes))).came += 1;
        }
        assert_eq!(i64::try_from(counted.tallies.len()).unwrap(), STRIDES_MAX);
        assert!(counted.hours(at(3 * 1_440 - 5), 24).iter().all(|it| it.came == 12));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_count() {
        let mut counted = Counted::default();
        counted.tally(stride(at(10_000))).came += 1;
        counted.tally(stride(at(7))).came += 1;
        counted.tally(stride(at(4))).came += 1;
        let hours = counted.hours(at(7), 1);
        assert_eq!((hours[0].came, counted.tallies.len()), (2, 1));
    }

    #[test]
    fn what_has_changed_is_given_once() {
        let (flow, shop) = (FlowCounts::default(), ProcessId::new("shop").unwrap());
        flow.load(shop.clone(), Counted { since: Some(at(0)), tallies: VecDeque::new() });
        assert!(flow.changed().is_empty());
        flow.note(&shop, at(1), [1, 0, 0]);
        assert_eq!((flow.changed().len(), flow.changed().len()), (1, 0));
        flow.unkept(&shop);
        assert_eq!(flow.changed()[0].1.since, Some(at(0)));
        flow.forget(&shop);
        assert_eq!(flow.of(&shop), Counted::default());
    }
}
