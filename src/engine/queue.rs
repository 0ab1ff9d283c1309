//! [`Queue`]: effects that wait to be performed. After an outage there are many, and few can be asked at
//! once: then those come first whose task has a value that dies soonest, for those can still be saved.
//! Those that compete for the same share of places stand in one lane, so that a full lane holds up no other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::engine::places::{Class, Lane};
use crate::model::names::TaskId;
use crate::model::task::{State, Task};
use crate::model::time::{Span, Timestamp};
use crate::process::process::Process;

/// An effect that has waited so long goes before a value that dies later than now: nothing starves.
const PATIENCE: Span = Span::hours(1);

/// Where an effect stands among those that wait: the lowest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    by: Timestamp,
    class: Class,
    expires_at: Option<Timestamp>,
    seq: u64,
}

/// Effects that wait to be performed.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: HashMap<Lane, BTreeMap<Rank, TaskId>>,
    /// The first of each lane.
    heads: BTreeSet<(Rank, Lane)>,
    places: HashMap<TaskId, (Rank, Lane)>,
    seq: u64,
}

impl Queue {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether that task waits.
    pub(super) fn holds(&self, id: TaskId) -> bool {
        self.places.contains_key(&id)
    }

    /// Takes in a task whose effect is to be performed, unless it waits already.
    pub(super) fn push(&mut self, process: Option<&Process>, task: &Task, now: Timestamp) {
        let State::Doing(effect) = &task.state else { return };
        if self.holds(task.id) {
            return;
        }
        self.seq += 1;
        let (class, expires_at) = death(process, task, now);
        // Counted from when the task came to its node, so that neither a new lease nor a restart loses it.
        let patience = task.since + PATIENCE;
        let by = expires_at.filter(|_| class == Class::Alive).map_or(patience, |it| it.min(patience));
        let rank = Rank { by, class, expires_at, seq: self.seq };
        let lane = Lane::new(&task.process, effect, class);
        let waiting = self.lanes.entry(lane.clone()).or_default();
        let head = waiting.keys().next().copied();
        waiting.insert(rank, task.id);
        if head.is_none_or(|head| rank < head) {
            if let Some(head) = head {
                self.heads.remove(&(head, lane.clone()));
            }
            self.heads.insert((rank, lane.clone()));
        }
        self.places.insert(task.id, (rank, lane));
    }

    /// Takes out the first whose lane has a place, and gives its lane.
    pub(super) fn pop(&mut self, admits: impl Fn(&Lane) -> bool) -> Option<(TaskId, Lane)> {
        let (rank, lane) = self.heads.iter().find(|(_, lane)| admits(lane)).cloned()?;
        let id = self.lanes.get(&lane)?.get(&rank).copied()?;
        self.remove(id);
        Some((id, lane))
    }

    /// Takes out all, the first of each lane first.
    pub(super) fn drain(&mut self) -> Vec<TaskId> {
        std::iter::from_fn(|| self.pop(|_| true)).map(|(id, _)| id).collect()
    }

    /// Takes out that one, if it waits.
    pub(super) fn remove(&mut self, id: TaskId) {
        let Some((rank, lane)) = self.places.remove(&id) else { return };
        let Some(waiting) = self.lanes.get_mut(&lane) else { return };
        waiting.remove(&rank);
        let next = waiting.keys().next().copied();
        if self.heads.remove(&(rank, lane.clone())) {
            self.heads.extend(next.map(|next| (next, lane.clone())));
        }
        if next.is_none() {
            self.lanes.remove(&lane);
        }
    }
}

/// The next death of a value of the task; of those that are dead already, the last.
fn death(process: Option<&Process>, task: &Task, now: Timestamp) -> (Class, Option<Timestamp>) {
    let lives = process.map(|it| it.expiries(&task.params)).unwrap_or_default();
    let next = lives.iter().map(|it| it.expires_at).filter(|at| *at > now).min();
    match (next, lives.iter().map(|it| it.expires_at).max()) {
        (Some(next), _) => (Class::Alive, Some(next)),
        (None, Some(last)) => (Class::Dead, Some(last)),
        (None, None) => (Class::Plain, None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::effect::{Effect, Notification, Request};
    use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
    use crate::model::task::{Birth, Seed};
    use crate::process::parse::parse;

    const TEXT: &str = "process: p\nparams:\n  a: {expiry: {at: a_end}}\n  b: {expiry: {at: b_end}}\n  \
                        a_end: {}\n  b_end: {}\nnodes:\n  in: {kind: input, next: out}\n  out: {kind: end}\n";
    const NOW: Timestamp = Timestamp(10_000_000);

    fn task(id: i64, params: Value) -> Task {
        let birth = Birth::new(TaskId(id), Seed([0; 16]));
        let address = Address { process: ProcessId::new("p").unwrap(), reference: Ref::new("r").unwrap() };
        let params = serde_json::from_value(params).unwrap();
        let mut task = Task::new(birth, address, NodeName::new("in").unwrap(), params, NOW);
        let tell = Notification::default();
        let timeout = Span::secs(20);
        task.state = State::Doing(Box::new(Effect {
            key: String::new(),
            request: Request::Notify(tell),
            timeout,
            once: true,
        }));
        task.due = Some(NOW + timeout + Span::secs(10));
        task
    }

    fn order(tasks: &[Task]) -> Vec<i64> {
        let (process, mut queue) = (parse(TEXT).unwrap(), Queue::default());
        for task in tasks {
            queue.push(Some(&process), task, NOW);
        }
        let order = std::iter::from_fn(|| queue.pop(|_| true)).map(|(id, _)| id.0).collect();
        assert_eq!((queue.len(), queue.lanes.len(), queue.heads.len()), (0, 0, 0));
        order
    }

    #[test]
    fn the_nearest_to_death_go_first_and_the_dead_last() {
        let alive = |id, end: i64| task(id, json!({"a": 1, "a_end": end}));
        let tasks = [
            alive(1, 9_000),
            task(2, json!({})),
            alive(3, 12_000),
            alive(4, 10_500),
            alive(5, 99_000_000),
            task(6, json!({"a": 1, "a_end": 9_500, "b": 1, "b_end": 11_000})),
            task(7, json!({})),
        ];
        assert_eq!(order(&tasks), [4, 6, 3, 5, 2, 7, 1]);
    }

    #[test]
    fn who_waits_long_enough_goes_before_a_value_that_lives_on() {
        let waited = Task { since: NOW - Span::mins(50), ..task(1, json!({})) };
        let soon = task(2, json!({"a": 1, "a_end": 10_000 + 9 * 60}));
        let later = task(3, json!({"a": 1, "a_end": 10_000 + 11 * 60}));
        assert_eq!(order(&[later, soon, waited]), [2, 1, 3]);
    }

    #[test]
    fn a_lane_without_a_place_holds_up_no_other() {
        let (process, mut queue) = (parse(TEXT).unwrap(), Queue::default());
        let alive = |id, end: i64| task(id, json!({"a": 1, "a_end": end}));
        for task in [alive(1, 10_500), task(2, json!({})), alive(3, 10_400), task(4, json!({}))] {
            queue.push(Some(&process), &task, NOW);
        }
        queue.push(Some(&process), &alive(1, 10_500), NOW);
        assert_eq!(queue.len(), 4, "one that waits already keeps its place");
        assert_eq!(queue.pop(|lane| lane.class == Class::Plain).map(|(id, _)| id.0), Some(2));
        queue.remove(TaskId(3));
        assert_eq!(queue.pop(|lane| lane.class == Class::Alive).map(|(id, _)| id.0), Some(1));
        assert_eq!(queue.pop(|lane| lane.class == Class::Alive), None);
        assert!(queue.holds(TaskId(4)) && !queue.holds(TaskId(3)));
        assert_eq!((queue.drain(), queue.len()), (vec![TaskId(4)], 0));
    }
}
