//! [`Cover`]: which nodes and ways of a process were taken.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use crate::model::names::NodeName;
use crate::model::task::HistoryEvent;
use crate::process::parsed::{EdgeKind, OutgoingEdge, ways};
use crate::process::process::{Node, Process};

/// Which nodes and ways were taken, by process.
#[derive(Clone, Debug, Default)]
pub struct Cover {
    taken: BTreeMap<String, Taken>,
}

#[derive(Clone, Debug, Default)]
struct Taken {
    nodes: BTreeSet<String>,
    /// A node and the place of a way among its ways.
    ways: BTreeSet<(String, usize)>,
    /// What was seen before, and so is not looked at again: from, to, how, and whether the time had come.
    seen: HashSet<(NodeName, Option<NodeName>, &'static str, bool)>,
}

/// What was taken of one process.
#[derive(Clone, Debug, Serialize)]
pub struct Sum {
    /// Its id.
    pub process: String,
    /// How many nodes it has.
    pub nodes: usize,
    /// How many ways out of them.
    pub ways: usize,
    /// The nodes that no task came to.
    pub nodes_missed: Vec<String>,
    /// The ways that no task took: `node → node`, with the word on the arrow.
    pub ways_missed: Vec<String>,
}

impl Cover {
    /// Takes note of an event.
    pub fn see(&mut self, process: &Process, event: &HistoryEvent) {
        let taken = match self.taken.get_mut(process.id.as_str()) {
            Some(taken) => taken,
            None => self.taken.entry(process.id.to_string()).or_default(),
        };
        let key = (event.node.clone(), event.to.clone(), how(event), event.event == "due");
        if !taken.seen.insert(key) {
            return;
        }
        taken.nodes.insert(event.node.to_string());
        let Some(to) = &event.to else { return };
        taken.nodes.insert(to.to_string());
        let Some(node) = process.node(&event.node) else { return };
        for way in ways_of(node, event) {
            taken.ways.insert((event.node.to_string(), way));
        }
    }

    /// Adds what another scenario took.
    pub fn add(&mut self, other: Cover) {
        for (process, more) in other.taken {
            let taken = self.taken.entry(process).or_default();
            taken.nodes.extend(more.nodes);
            taken.ways.extend(more.ways);
        }
    }

    /// What was taken of `process`, and what was not.
    pub fn sum(&self, process: &Process) -> Sum {
        let none = Taken::default();
        let taken = self.taken.get(process.id.as_str()).unwrap_or(&none);
        let mut sum = Sum {
            process: process.id.to_string(),
            nodes: process.nodes.len(),
            ways: 0,
            nodes_missed: Vec::new(),
            ways_missed: Vec::new(),
        };
        for node in &process.nodes {
            if !taken.nodes.contains(node.name.as_str()) {
                sum.nodes_missed.push(node.name.to_string());
            }
            for (place, way) in ways(node).iter().enumerate() {
                sum.ways += 1;
                if !taken.ways.contains(&(node.name.to_string(), place)) {
                    sum.ways_missed.push(told(node, way));
                }
            }
        }
        sum
    }
}

/// A person moved the task, and not the node.
const ORDERED: &str = "ordered";
/// It stood there too long.
const LIMIT: &str = "limit";
/// It had a fault.
const ERROR: &str = "error";

/// How the task came to leave its node.
fn how(event: &HistoryEvent) -> &'static str {
    match event.event.as_str() {
        event if event.starts_with("move by ") || event.starts_with("retry by ") => ORDERED,
        event if event.starts_with("stood here for ") => LIMIT,
        _ if event.fault.is_some() => ERROR,
        _ => "",
    }
}

/// The places of the ways that the event may have taken: two that lead to the same node cannot always be told
/// apart.
fn ways_of(node: &Node, event: &HistoryEvent) -> Vec<usize> {
    let kind = match how(event) {
        ORDERED => return Vec::new(),
        LIMIT => EdgeKind::Limit,
        ERROR => EdgeKind::Error,
        _ => EdgeKind::Plain,
    };
    let all = ways(node);
    let leads = |way: &&(usize, OutgoingEdge)| way.1.kind == kind && Some(&way.1.to) == event.to.as_ref();
    let all: Vec<(usize, OutgoingEdge)> = all.into_iter().enumerate().collect();
    let found: Vec<&(usize, OutgoingEdge)> = all.iter().filter(leads).collect();
    let timeout = |way: &&&(usize, OutgoingEdge)| (way.1.label == "timeout") == (event.event == "due");
    let better: Vec<usize> = found.iter().filter(timeout).map(|(place, _)| *place).collect();
    if better.is_empty() { found.into_iter().map(|(place, _)| *place).collect() } else { better }
}

fn told(node: &Node, way: &OutgoingEdge) -> String {
    let label = if way.label.is_empty() { String::new() } else { format!(" ({})", way.label) };
    format!("{} → {}{label}", node.name, way.to)
}
