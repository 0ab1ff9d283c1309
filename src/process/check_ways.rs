//! Whether every way leads somewhere, every node is reached, and no task can go round for ever.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::names::NodeName;
use crate::model::near;
use crate::process::parsed::{ParsedNode, ParsedProcess, Turn};
use crate::process::problem::FileProblem;

/// All that is wrong with the ways.
pub fn check(sketch: &ParsedProcess) -> Vec<FileProblem> {
    let mut problems = nowhere(sketch);
    problems.extend(unreached(sketch));
    problems.extend(endless(sketch));
    problems.extend(breeding(sketch));
    problems
}

/// A node that makes another task of its own process, which every task comes to at once and whatever its
/// params are: each makes the next. Where a node on the way may decide otherwise, a task may come to an end.
fn breeding(sketch: &ParsedProcess) -> Option<FileProblem> {
    let own = sketch.id.as_ref()?;
    let mut station = sketch.nodes.iter().find(|it| is_input(it))?;
    // No longer than there are nodes: a loop is told of elsewhere.
    for _ in &sketch.nodes {
        let node = station.node.as_ref()?;
        if node.kind.breeds() == Some(own.as_str()) {
            let message =
                format!("every task that comes to `{}` makes another one of `{own}`, without end", node.name);
            let hint = "let it rest before, as in a `delay`, or let a `condition` say when it is enough";
            return Some(FileProblem::new(station.spot, message).hint(hint));
        }
        let mut ways = station.ways().into_iter().filter(|way| way.turn != Turn::Alarm);
        let (Some(only), None, false) = (ways.next(), ways.next(), node.kind.rests()) else { return None };
        station = sketch.nodes.iter().find(|it| it.name == only.to)?;
    }
    None
}

/// Ways to nodes that are not there.
fn nowhere(sketch: &ParsedProcess) -> Vec<FileProblem> {
    let names: Vec<&str> = sketch.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut problems = Vec::new();
    for station in &sketch.nodes {
        let targets: BTreeSet<NodeName> = station.ways().into_iter().map(|way| way.to).collect();
        for to in targets.iter().filter(|to| !names.contains(&to.as_str())) {
            let hint = near::nearest(to.as_str(), names.iter().copied())
                .map(|name| format!("did you mean `{name}`?"));
            for spot in station.spots(to) {
                problems
                    .push(FileProblem::new(spot, format!("there is no node `{to}`")).hint_if(hint.clone()));
            }
        }
    }
    problems
}

/// Nodes that no way leads to. Not told while a node is so wrong that its ways are unknown: they may lead
/// there.
fn unreached(sketch: &ParsedProcess) -> Vec<FileProblem> {
    let by_name: BTreeMap<&str, &ParsedNode> = sketch.nodes.iter().map(|it| (it.name.as_str(), it)).collect();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&ParsedNode> = sketch.nodes.iter().filter(|it| is_input(it)).collect();
    let unknown = |it: &ParsedNode| it.node.is_none() && it.ways().is_empty();
    if next.is_empty() || sketch.nodes.iter().any(unknown) {
        return Vec::new();
    }
    while let Some(station) = next.pop() {
        if reached.insert(station.name.as_str()) {
            next.extend(station.ways().iter().filter_map(|way| by_name.get(way.to.as_str()).copied()));
        }
    }
    let lost = sketch.nodes.iter().filter(|it| !reached.contains(it.name.as_str()));
    lost.map(|it| {
        let hint = "name it as a `next`, or remove it";
        FileProblem::new(it.spot, format!("no way leads to node `{}`", it.name)).hint(hint)
    })
    .collect()
}

/// Whether tasks enter there.
pub fn is_input(station: &ParsedNode) -> bool {
    station.spec.is_some_and(|spec| spec.name == "input")
}

/// Loops in which a task neither rests nor asks: one problem for each, at its first node.
fn endless(sketch: &ParsedProcess) -> Vec<FileProblem> {
    let next = restless(sketch);
    let name = |at: usize| sketch.nodes[at].name.as_str();
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let mut problems = Vec::new();
    for from in 0..next.len() {
        if told.contains(&from) {
            continue;
        }
        let Some(round) = round(from, &next) else { continue };
        let path: Vec<String> = round.iter().chain([&from]).map(|at| format!("`{}`", name(*at))).collect();
        let message = format!("a task would go round for ever: {}", path.join(" → "));
        let hint = "let it rest or ask on the way, as in a `delay` or an `http` node";
        problems.push(FileProblem::new(sketch.nodes[from].spot, message).hint(hint));
        told.extend(round);
    }
    problems
}

/// For each node where a task need not rest, the ones like it that it goes on to at once.
fn restless(sketch: &ParsedProcess) -> Vec<Vec<usize>> {
    let restless = |it: &ParsedNode| it.node.as_ref().is_some_and(|node| !node.kind.rests());
    let places: BTreeMap<&str, usize> =
        sketch.nodes.iter().enumerate().map(|(at, it)| (it.name.as_str(), at)).collect();
    let goes_on = |station: &ParsedNode| {
        let ways = station.ways().into_iter().filter(|way| matches!(way.turn, Turn::Plain | Turn::Error));
        let next = ways.filter_map(|way| places.get(way.to.as_str()).copied());
        next.filter(|to| restless(&sketch.nodes[*to])).collect()
    };
    let of = |it: &ParsedNode| if restless(it) { goes_on(it) } else { Vec::new() };
    sketch.nodes.iter().map(of).collect()
}

/// The shortest way from a node back to itself.
fn round(from: usize, next: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut came: Vec<Option<usize>> = vec![None; next.len()];
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for to in &next[at] {
            if came[*to].is_none() {
                came[*to] = Some(at);
                queue.push_back(*to);
            }
        }
    }
    let mut path = vec![from];
    let mut at = came[from]?;
    while at != from {
        path.insert(1, at);
        at = came[at]?;
    }
    Some(path)
}
