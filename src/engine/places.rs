//! [`Places`]: how many effects may be out at once, and how they are shared. Pure counting.
//!
//! No process and no host takes more than half of all places, so that one that hangs leaves room for others;
//! and a quarter is kept for tasks with a value that can still be saved.

use std::collections::HashMap;

use crate::model::effect::{Effect, Request};
use crate::model::names::ProcessId;

/// The share of all places that one process, or one host, may take.
const SHARE: usize = 2;
/// The part of all places that is kept for what is urgent.
const RESERVE: usize = 4;

/// What effects have in common that compete for the same share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane {
    /// The task's process.
    pub(super) process: ProcessId,
    /// The host it asks; none for a message to a person.
    pub(super) host: Option<String>,
    /// What the task has to lose.
    pub(super) class: Class,
}

/// What a task has to lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// One of its values can still be saved.
    Alive,
    /// It has none that die.
    Plain,
    /// It is too late for all of them.
    Dead,
}

impl Lane {
    pub(super) fn new(process: &ProcessId, effect: &Effect, class: Class) -> Lane {
        let host = match &effect.request {
            Request::Http(ask) => Some(host(&ask.url).to_owned()),
            Request::Notify(_) => None,
        };
        Lane { process: process.clone(), host, class }
    }

    /// Whether a part of all places is kept for it.
    fn is_urgent(&self) -> bool {
        self.class == Class::Alive
    }
}

/// `host:port` of an address, as it is written.
fn host(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    after[..end].rsplit('@').next().unwrap_or_default()
}

/// Who is out.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    out: usize,
    plain: usize,
    processes: HashMap<ProcessId, usize>,
    hosts: HashMap<String, usize>,
}

impl Places {
    pub(super) fn new(max: usize) -> Places {
        Places { max, out: 0, plain: 0, processes: HashMap::new(), hosts: HashMap::new() }
    }

    /// Whether there is a place for one more of that lane.
    pub(super) fn admits(&self, lane: &Lane) -> bool {
        let share = (self.max / SHARE).max(1);
        let taken = |count: Option<&usize>| count.copied().unwrap_or(0);
        self.out < self.max
            && (lane.is_urgent() || self.plain < self.max - self.max / RESERVE)
            && taken(self.processes.get(&lane.process)) < share
            && lane.host.as_ref().is_none_or(|host| taken(self.hosts.get(host)) < share)
    }

    pub(super) fn take(&mut self, lane: &Lane) {
        self.out += 1;
        self.plain += usize::from(!lane.is_urgent());
        *self.processes.entry(lane.process.clone()).or_default() += 1;
        if let Some(host) = &lane.host {
            *self.hosts.entry(host.clone()).or_default() += 1;
        }
    }

    pub(super) fn free(&mut self, lane: &Lane) {
        self.out -= 1;
        self.plain -= usize::from(!lane.is_urgent());
        less(&mut self.processes, &lane.process);
        if let Some(host) = &lane.host {
            less(&mut self.hosts, host);
        }
    }
}

/// One fewer; what is nothing is forgotten.
fn less<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(process: &str, host: &str, urgent: bool) -> Lane {
        let class = if urgent { Class::Alive } else { Class::Plain };
        Lane { process: ProcessId::new(process).unwrap(), host: Some(host.to_owned()), class }
    }

    fn fill(places: &mut Places, lane: &Lane) -> usize {
        let mut taken = 0;
        while places.admits(lane) {
            places.take(lane);
            taken += 1;
        }
        taken
    }

    #[test]
    fn no_process_and_no_host_takes_more_than_its_share() {
        let mut places = Places::new(512);
        assert_eq!(fill(&mut places, &lane("a", "slow", false)), 256);
        assert_eq!(fill(&mut places, &lane("a", "other", false)), 0, "the process has its share");
        assert_eq!(fill(&mut places, &lane("b", "slow", false)), 0, "the host has its share");
        assert_eq!(fill(&mut places, &lane("b", "b", false)), 128, "the rest is for what is urgent");
        assert_eq!(fill(&mut places, &lane("c", "c", true)), 128);
        places.free(&lane("a", "slow", false));
        assert_eq!(fill(&mut places, &lane("d", "d", false)), 1);
    }

    #[test]
    fn where_there_is_one_place_everybody_may_have_it() {
        for urgent in [false, true] {
            let mut places = Places::new(1);
            assert_eq!(fill(&mut places, &lane("a", "a", urgent)), 1);
            places.free(&lane("a", "a", urgent));
            assert_eq!((places.out, places.plain, places.processes.len(), places.hosts.len()), (0, 0, 0, 0));
        }
    }

    #[test]
    fn a_host_is_what_stands_before_the_path() {
        for (url, expected) in [
            ("https://api.example.org/v1?x=1", "api.example.org"),
            ("http://u:p@127.0.0.1:80?x", "127.0.0.1:80"),
            ("https://a", "a"),
        ] {
            assert_eq!(host(url), expected);
        }
    }
}
