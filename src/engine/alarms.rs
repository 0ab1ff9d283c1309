//! [`BacklogWatch`]: sees when as many tasks stand on a node as its `alarm` says, and when they no longer do.
//!
//! How many stand where is counted by the store, in the same commit as the moves. What was told last is a
//! record, kept in the same commit as the signal that tells it: a crash neither loses an edge nor tells it
//! twice. The counts are looked at after tasks came to such a node or left it, at most once in
//! [`LOOK_PAUSE`], and at the start: a backlog that comes and goes between two looks is none. A process
//! without alarms costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde_json::{Value, json};

use crate::engine::ports::{Collection, Count, Record, StoreError};
use crate::model::names::{Address, NodeName, ProcessId, Ref};
use crate::model::params::Params;
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::NodePosition;
use crate::model::time::{Span, Timestamp};
use crate::process::process::{Backlog, Process};

/// How often the counts are looked at, at most.
pub const LOOK_PAUSE: Span = Span::millis(250);
/// How often it is said that an alarm cannot be told.
const WARN_PAUSE: Span = Span::mins(1);

/// Whether the counts are to be looked at, and when.
#[derive(Debug)]
pub struct BacklogWatch {
    touched: AtomicBool,
    looked: AtomicI64,
    warned: AtomicI64,
}

impl Default for BacklogWatch {
    /// What happened before is not known: one look is due.
    fn default() -> BacklogWatch {
        let (looked, warned) = (AtomicI64::new(i64::MIN), AtomicI64::new(i64::MIN));
        BacklogWatch { touched: AtomicBool::new(true), looked, warned }
    }
}

impl BacklogWatch {
    /// Something changed. Gives when to look.
    pub fn touch(&self, now: Timestamp) -> Timestamp {
        self.touched.store(true, Ordering::Release);
        let looked = self.looked.load(Ordering::Acquire);
        now.max(Timestamp(looked.saturating_add_unsigned(LOOK_PAUSE.0)))
    }

    /// Whether to say that an alarm cannot be told.
    pub fn warns(&self, now: Timestamp) -> bool {
        let warned = self.warned.load(Ordering::Acquire);
        let warns = now.0.saturating_sub(warned).unsigned_abs() >= WARN_PAUSE.0;
        if warns {
            self.warned.store(now.0, Ordering::Release);
        }
        warns
    }

    /// Whether to look now; or else when, if at all.
    pub fn begin(&self, now: Timestamp) -> Result<(), Option<Timestamp>> {
        let next = Timestamp(self.looked.load(Ordering::Acquire).saturating_add_unsigned(LOOK_PAUSE.0));
        match self.touched.load(Ordering::Acquire) {
            false => Err(None),
            // A clock that was set back must not put the next look off.
            true if next > now && next.since(now) <= LOOK_PAUSE => Err(Some(next)),
            true => {
                self.touched.store(false, Ordering::Release);
                self.looked.store(now.0, Ordering::Release);
                Ok(())
            }
        }
    }
}

/// Whether a move changes how many stand on a node that `process` has an alarm for.
pub fn concerns(process: &Process, before: Option<&NodePosition>, after: Option<&NodePosition>) -> bool {
    let live = |place: Option<&NodePosition>| {
        place.filter(|place| place.phase.is_live()).map(|place| place.node.clone())
    };
    let (before, after) = (live(before), live(after));
    let watched = |node: &Option<NodeName>| node.as_ref().is_some_and(|it| process.watched.contains(it));
    before != after && (watched(&before) || watched(&after))
}

/// One edge, to be told.
#[derive(Debug)]
pub struct Edge {
    /// The signal that tells it: a new task of the same process.
    pub signal: Signal,
    /// What is told from then on.
    pub record: Record,
}

/// What is to be told, as things stand: `told` are the records of the collection [`Collection::Alarm`].
///
/// # Errors
/// [`StoreError::Corrupt`] if a name cannot be made, which would be a mistake of ours.
pub fn edges(
    watched: &[Arc<Process>],
    counts: &[Count],
    told: &[Record],
    now: Timestamp,
) -> Result<Vec<Edge>, StoreError> {
    let mut standing: BTreeMap<(&ProcessId, &NodeName), u64> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.phase.is_live()) {
        *standing.entry((&count.process, &count.node)).or_default() += count.tasks;
    }
    let is_notified = |name: &str| told.iter().any(|it| it.name == name && it.value["on"] == json!(true));
    let mut edges = Vec::new();
    for process in watched {
        for (node, backlog) in process.nodes.iter().filter_map(|node| Some((node, node.alarm.as_ref()?))) {
            let many = standing.get(&(&process.id, &node.name)).copied().unwrap_or(0);
            let name = format!("{}/{}", process.id, node.name);
            if let Some(on) = turn(backlog, many, is_notified(&name)) {
                let signal = signal(process, &node.name, backlog, (many, on), now)?;
                let value = json!({"on": on, "count": many});
                edges.push(Edge {
                    signal,
                    record: Record { collection: Collection::Alarm, name, value, at: now },
                });
            }
        }
    }
    Ok(edges)
}

/// Whether the alarm goes on or off.
fn turn(backlog: &Backlog, standing: u64, on: bool) -> Option<bool> {
    match on {
        false => (standing >= backlog.count).then_some(true),
        true => (standing <= backlog.clear()).then_some(false),
    }
}

/// The special task: it begins on the node that the alarm names, and its param `alarm` says what happened.
fn signal(
    process: &Process,
    node: &NodeName,
    backlog: &Backlog,
    (many, on): (u64, bool),
    now: Timestamp,
) -> Result<Signal, StoreError> {
    let reference = format!("alarm-{node}-{}", now.0);
    let reference = Ref::new(&reference).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let defaults = process.params.iter().filter_map(|it| Some((it.name.clone(), it.default.clone()?)));
    let mut params: Params = defaults.collect();
    let said: Value = json!({"node": node, "on": on, "count": many, "limit": backlog.count});
    params.set("alarm", said);
    let kind = SignalKind::Create { params, caller: None, at: Some(backlog.next.clone()), birth: None };
    Ok(Signal { to: SignalTarget::Address(Address { process: process.id.clone(), reference }), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_goes_on_at_its_count_and_off_at_or_below_what_clears_it() {
        let backlog = |clear| Backlog { count: 3, clear, next: NodeName::new("tell").unwrap() };
        for (clear, standing, on, turns) in [
            (None, 2, false, None),
            (None, 3, false, Some(true)),
            (None, 9, true, None),
            (None, 3, true, None),
            (None, 2, true, Some(false)),
            (Some(0), 1, true, None),
            (Some(0), 0, true, Some(false)),
            (Some(0), 0, false, None),
        ] {
            assert_eq!(turn(&backlog(clear), standing, on), turns, "{clear:?} {standing} {on}");
        }
    }

    #[test]
    fn the_counts_are_looked_at_when_something_changed_and_not_too_often() {
        let watch = BacklogWatch::default();
        let at = Timestamp;
        assert_eq!(watch.begin(at(1_000)), Ok(()), "once at the start");
        assert_eq!(watch.begin(at(5_000)), Err(None));
        assert_eq!(watch.touch(at(6_000)), at(6_000));
        assert_eq!(watch.begin(at(6_000)), Ok(()));
        assert_eq!(watch.touch(at(6_100)), at(6_250));
        assert_eq!(watch.begin(at(6_100)), Err(Some(at(6_250))));
        assert_eq!(watch.begin(at(6_250)), Ok(()));
        watch.touch(at(6_251));
        assert_eq!(watch.begin(at(-9_000)), Ok(()), "the clock was set back");
    }
}
