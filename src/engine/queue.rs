//! [`Queue`]: effects that wait to be performed. After an outage there are many, and few can be asked at
//! once: then those come first whose task has a value that dies soonest, for those can still be saved.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::task::{State, Task};
use crate::model::time::{Span, Timestamp};
use crate::process::process::Process;

/// An effect that has waited so long goes before a value that dies later than now: nothing starves.
const PATIENCE: Span = Span::hours(1);
/// How long before its lease is too short to ask under it a waiting effect gets a longer one.
const RENEW_BEFORE: Span = Span::secs(5);

/// Where an effect stands among those that wait: the lowest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    by: Timestamp,
    class: Class,
    dies_at: Option<Timestamp>,
    seq: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// One of its values can still be saved.
    Alive,
    /// It has none that die.
    Plain,
    /// It is too late for all of them.
    Dead,
}

/// Effects that wait to be performed.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: BTreeMap<Rank, Task>,
    leases: BTreeSet<(Timestamp, Rank)>,
    seq: u64,
}

impl Queue {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes in a task whose effect is to be performed.
    pub fn push(&mut self, process: Option<&Process>, task: Task, now: Timestamp) {
        self.seq += 1;
        let (class, dies_at) = death(process, &task, now);
        // Counted from when the task came to its node, so that neither a new lease nor a restart loses it.
        let patience = task.since + PATIENCE;
        let by = dies_at.filter(|_| class == Class::Alive).map_or(patience, |it| it.min(patience));
        let rank = Rank { by, class, dies_at, seq: self.seq };
        self.leases.extend(short_at(&task).map(|at| (at, rank)));
        self.waiting.insert(rank, task);
    }

    /// The task that goes first.
    pub fn pop(&mut self) -> Option<Task> {
        let (rank, task) = self.waiting.pop_first()?;
        if let Some(at) = short_at(&task) {
            self.leases.remove(&(at, rank));
        }
        Some(task)
    }

    /// When the first of those that wait needs a longer lease.
    pub fn short_at(&self) -> Option<Timestamp> {
        self.leases.first().map(|(at, _)| *at)
    }

    /// Takes out those that need a longer lease, at most `many`.
    pub fn short(&mut self, now: Timestamp, many: usize) -> Vec<Task> {
        let mut short = Vec::new();
        while short.len() < many && self.short_at().is_some_and(|at| at <= now) {
            let Some((_, rank)) = self.leases.pop_first() else { break };
            short.extend(self.waiting.remove(&rank));
        }
        short
    }
}

/// When nothing can be asked under the lease of a task any more, and some time before.
fn short_at(task: &Task) -> Option<Timestamp> {
    let State::Doing(effect) = &task.state else { return None };
    task.due.map(|lease| lease - effect.timeout - RENEW_BEFORE)
}

/// The next death of a value of the task; of those that are dead already, the last.
fn death(process: Option<&Process>, task: &Task, now: Timestamp) -> (Class, Option<Timestamp>) {
    let lives = process.map(|it| it.lives(&task.params)).unwrap_or_default();
    let next = lives.iter().map(|it| it.dies_at).filter(|at| *at > now).min();
    match (next, lives.iter().map(|it| it.dies_at).max()) {
        (Some(next), _) => (Class::Alive, Some(next)),
        (None, Some(last)) => (Class::Dead, Some(last)),
        (None, None) => (Class::Plain, None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::effect::{Ask, Effect, TellAsk};
    use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
    use crate::model::task::{Birth, Seed};
    use crate::process::parse::parse;

    const TEXT: &str = "process: p\nparams:\n  a: {dies_at: a_end}\n  b: {dies_at: b_end}\n  a_end: {}\n  \
                        b_end: {}\nnodes:\n  in: {kind: input, next: out}\n  out: {kind: end}\n";
    const NOW: Timestamp = Timestamp(10_000_000);

    fn task(id: i64, params: Value) -> Task {
        let birth = Birth::new(TaskId(id), Seed([0; 16]));
        let address = Address { process: ProcessId::new("p").unwrap(), reference: Ref::new("r").unwrap() };
        let params = serde_json::from_value(params).unwrap();
        let mut task = Task::born(birth, address, NodeName::new("in").unwrap(), params, NOW);
        let tell = TellAsk::default();
        let timeout = Span::secs(20);
        task.state =
            State::Doing(Box::new(Effect { key: String::new(), ask: Ask::Tell(tell), timeout, once: true }));
        task.due = Some(NOW + timeout + Span::secs(10));
        task
    }

    fn order(tasks: Vec<Task>) -> Vec<i64> {
        let (process, mut queue) = (parse(TEXT).unwrap(), Queue::default());
        for task in tasks {
            queue.push(Some(&process), task, NOW);
        }
        let order = std::iter::from_fn(|| queue.pop()).map(|it| it.id.0).collect();
        assert_eq!((queue.short_at(), queue.len()), (None, 0));
        order
    }

    #[test]
    fn the_nearest_to_death_go_first_and_the_dead_last() {
        let alive = |id, end: i64| task(id, json!({"a": 1, "a_end": end}));
        let tasks = vec![
            alive(1, 9_000),
            task(2, json!({})),
            alive(3, 12_000),
            alive(4, 10_500),
            alive(5, 99_000_000),
            task(6, json!({"a": 1, "a_end": 9_500, "b": 1, "b_end": 11_000})),
            task(7, json!({})),
        ];
        assert_eq!(order(tasks), [4, 6, 3, 5, 2, 7, 1]);
    }

    #[test]
    fn who_waits_long_enough_goes_before_a_value_that_lives_on() {
        let waited = Task { since: NOW - Span::mins(50), ..task(1, json!({})) };
        let soon = task(2, json!({"a": 1, "a_end": 10_000 + 9 * 60}));
        let later = task(3, json!({"a": 1, "a_end": 10_000 + 11 * 60}));
        assert_eq!(order(vec![later, soon, waited]), [2, 1, 3]);
    }

    #[test]
    fn a_lease_is_renewed_before_it_is_too_short_to_ask_under() {
        let (process, mut queue) = (parse(TEXT).unwrap(), Queue::default());
        for id in 1..=3 {
            queue.push(Some(&process), task(id, json!({})), NOW);
        }
        assert_eq!(queue.short_at(), Some(NOW + Span::secs(5)));
        assert!(queue.short(NOW + Span::secs(4), 9).is_empty());
        assert_eq!(queue.short(NOW + Span::secs(5), 2).len(), 2);
        assert_eq!((queue.pop().map(|it| it.id.0), queue.is_empty()), (Some(3), true));
    }
}
