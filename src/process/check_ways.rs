//! Whether every way leads somewhere, every node is reached, and no task can go round for ever.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::names::NodeName;
use crate::model::near;
use crate::process::parsed::{EdgeKind, ParsedNode, ParsedProcess};
use crate::process::problem::FileProblem;

/// All that is wrong with the ways.
pub fn check(parsed: &ParsedProcess) -> Vec<FileProblem> {
    let mut problems = nowhere(parsed);
    problems.extend(unreached(parsed));
    problems.extend(endless(parsed));
    problems.extend(breeding(parsed));
    problems
}

/// A node that makes another task of its own process, which every task comes to at once and whatever its
/// params are: each makes the next. Where a node on the way may decide otherwise, a task may come to an end.
fn breeding(parsed: &ParsedProcess) -> Option<FileProblem> {
    let own = parsed.id.as_ref()?;
    let mut parsed_node = parsed.nodes.iter().find(|it| is_input(it))?;
    // No longer than there are nodes: a loop is told of elsewhere.
    for _ in &parsed.nodes {
        let node = parsed_node.node.as_ref()?;
        if node.kind.breeds() == Some(own.as_str()) {
            let message =
                format!("every task that comes to `{}` makes another one of `{own}`, without end", node.name);
            let hint = "let it rest before, as in a `delay`, or let a `condition` say when it is enough";
            return Some(FileProblem::new(parsed_node.spot, message).hint(hint));
        }
        let mut ways = parsed_node.ways().into_iter().filter(|way| way.kind != EdgeKind::Alarm);
        let (Some(only), None, false) = (ways.next(), ways.next(), node.kind.rests()) else { return None };
        parsed_node = parsed.nodes.iter().find(|it| it.name == only.to)?;
    }
    None
}

/// Ways to nodes that are not there.
fn nowhere(parsed: &ParsedProcess) -> Vec<FileProblem> {
    let names: Vec<&str> = parsed.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut problems = Vec::new();
    for parsed_node in &parsed.nodes {
        let targets: BTreeSet<NodeName> = parsed_node.ways().into_iter().map(|way| way.to).collect();
        for to in targets.iter().filter(|to| !names.contains(&to.as_str())) {
            let hint = near::nearest(to.as_str(), names.iter().copied())
                .map(|name| format!("did you mean `{name}`?"));
            for spot in parsed_node.spots(to) {
                problems
                    .push(FileProblem::new(spot, format!("there is no node `{to}`")).hint_if(hint.clone()));
            }
        }
    }
    problems
}

/// Nodes that no way leads to. Not told while a node is so wrong that its ways are unknown: they may lead
/// there.
fn unreached(parsed: &ParsedProcess) -> Vec<FileProblem> {
    let by_name: BTreeMap<&str, &ParsedNode> = parsed.nodes.iter().map(|it| (it.name.as_str(), it)).collect();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&ParsedNode> = parsed.nodes.iter().filter(|it| is_input(it)).collect();
    let unknown = |it: &ParsedNode| it.node.is_none() && it.ways().is_empty();
    if next.is_empty() || parsed.nodes.iter().any(unknown) {
        return Vec::new();
    }
    while let Some(parsed_node) = next.pop() {
        if reached.insert(parsed_node.name.as_str()) {
            next.extend(parsed_node.ways().iter().filter_map(|way| by_name.get(way.to.as_str()).copied()));
        }
    }
    let lost = parsed.nodes.iter().filter(|it| !reached.contains(it.name.as_str()));
    lost.map(|it| {
        let hint = "name it as a `next`, or remove it";
        FileProblem::new(it.spot, format!("no way leads to node `{}`", it.name)).hint(hint)
    })
    .collect()
}

/// Whether tasks enter there.
pub fn is_input(parsed_node: &ParsedNode) -> bool {
    parsed_node.spec.is_some_and(|spec| spec.name == "input")
}

/// Loops in which a task neither rests nor asks: one problem for each, at its first node.
fn endless(parsed: &ParsedProcess) -> Vec<FileProblem> {
    let next = restless(parsed);
    let name = |at: usize| parsed.nodes[at].name.as_str();
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
        problems.push(FileProblem::new(parsed.nodes[from].spot, message).hint(hint));
        told.extend(round);
    }
    problems
}

/// For each node where a task need not rest, the ones like it that it goes on to at once.
fn restless(parsed: &ParsedProcess) -> Vec<Vec<usize>> {
    let restless = |it: &ParsedNode| it.node.as_ref().is_some_and(|node| !node.kind.rests());
    let places: BTreeMap<&str, usize> =
        parsed.nodes.iter().enumerate().map(|(at, it)| (it.name.as_str(), at)).collect();
    let goes_on = |parsed_node: &ParsedNode| {
        let ways = parsed_node
            .ways()
            .into_iter()
            .filter(|way| matches!(way.kind, EdgeKind::Plain | EdgeKind::Error));
        let next = ways.filter_map(|way| places.get(way.to.as_str()).copied());
        next.filter(|to| restless(&parsed.nodes[*to])).collect()
    };
    let of = |it: &ParsedNode| if restless(it) { goes_on(it) } else { Vec::new() };
    parsed.nodes.iter().map(of).collect()
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
