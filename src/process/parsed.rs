//! [`ParsedProcess`]: a process as it was read, before it is checked: every part still knows where it stood.

use std::collections::BTreeSet;

use crate::model::kind::KindSpec;
use crate::model::names::{NodeName, ProcessId};
use crate::model::tree::{Branch, MapKey, Spot, Tree};
use crate::process::file::COMMON;
use crate::process::hook::Hook;
use crate::process::process::{Node, ParamSpec};
use crate::process::schedule::Schedule;

/// A process as it was read.
pub struct ParsedProcess {
    /// Its id, if that could be read.
    pub id: Option<ProcessId>,
    /// The params, with what they were read from.
    pub params: Vec<(ParamSpec, MapKey, Tree)>,
    /// The hooks, if nothing was wrong with each, with what they were read from.
    pub hooks: Vec<(Option<Hook>, MapKey, Tree)>,
    /// The schedules, if nothing was wrong with each, with what they were read from.
    pub schedules: Vec<(Option<Schedule>, Tree)>,
    /// Where `nodes:` stood.
    pub nodes_spot: Spot,
    /// The nodes.
    pub nodes: Vec<ParsedNode>,
}

/// A node as it was read.
pub struct ParsedNode {
    /// Its name.
    pub name: NodeName,
    /// Where its name stood.
    pub spot: Spot,
    /// What it was read from.
    pub tree: Tree,
    /// Its kind, if that is known.
    pub spec: Option<&'static KindSpec>,
    /// The node, if nothing was wrong with it.
    pub node: Option<Node>,
}

/// A way out of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingEdge {
    /// The word on its arrow.
    pub label: String,
    /// Where it leads.
    pub to: NodeName,
    /// How a task comes to take it.
    pub kind: EdgeKind,
}

/// How a task comes to take a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// As the node decides.
    Plain,
    /// After a fault.
    Error,
    /// After it has stood there too long.
    Limit,
    /// No task takes it: one is born there when too many stand here.
    Alarm,
}

/// All ways out of a node.
pub fn ways(node: &Node) -> Vec<OutgoingEdge> {
    let way = |label: String, to: &NodeName, kind| OutgoingEdge { label, to: to.clone(), kind };
    let plain = node.kind.exits().into_iter().map(|(label, to)| way(label, to, EdgeKind::Plain));
    let error = node.on_error.iter().map(|to| way("on error".to_owned(), to, EdgeKind::Error));
    let limit = node.limit.iter().map(|it| way(format!("after {}", it.time), &it.next, EdgeKind::Limit));
    let alarm = node.alarm.iter().map(|it| way(format!("{} here", it.count), &it.next, EdgeKind::Alarm));
    plain.chain(error).chain(limit).chain(alarm).collect()
}

impl ParsedNode {
    /// The ways out; of a node that something is wrong with, as far as they can be guessed.
    pub fn ways(&self) -> Vec<OutgoingEdge> {
        match &self.node {
            Some(node) => ways(node),
            None => self.guess(),
        }
    }

    fn guess(&self) -> Vec<OutgoingEdge> {
        // The next page of a list is no node.
        let entries = self.tree.entries().iter().filter(|(key, _)| key.text != "pages");
        let texts = entries.flat_map(|(own, tree)| {
            let own = own.text.as_str();
            let texts = tree.texts().into_iter();
            texts.map(move |(key, text, _)| (if key.is_empty() { own } else { key }, text))
        });
        let texts = texts.filter(|(key, _)| is_way(key));
        let names = texts.filter_map(|(key, text)| Some((key, NodeName::new(text).ok()?)));
        let kind = |key: &str| if key == "on_error" { EdgeKind::Error } else { EdgeKind::Plain };
        names.map(|(key, to)| OutgoingEdge { label: String::new(), to, kind: kind(key) }).collect()
    }

    /// Where in the node `to` is named as a way out.
    pub fn spots(&self, to: &NodeName) -> Vec<Spot> {
        let mut all = Vec::new();
        scalars(&self.tree, "", &mut all);
        let here = all.iter().filter(|(_, tree)| tree.name().as_deref() == Some(to.as_str()));
        let (ways, others): (Vec<_>, Vec<_>) = here.partition(|(key, _)| is_way(key));
        let found = if ways.is_empty() { others } else { ways };
        if found.is_empty() {
            return vec![self.spot];
        }
        found.into_iter().map(|(_, tree)| tree.spot).collect()
    }

    /// The texts that belong to the kind: what templates and expressions stand in.
    pub fn texts(&self) -> Vec<(&str, &str, Spot)> {
        let own = self.tree.entries().iter().filter(|(key, _)| !COMMON.contains(&key.text.as_str()));
        own.flat_map(|(key, tree)| {
            let texts = tree.texts().into_iter();
            texts.map(|(under, text, spot)| {
                (if under.is_empty() { key.text.as_str() } else { under }, text, spot)
            })
        })
        .collect()
    }
}

/// Whether the value under that key names a node, in any kind.
fn is_way(key: &str) -> bool {
    key == "else" || key == "on_error" || key == "next" || key.starts_with("next_")
}

fn scalars<'a>(tree: &'a Tree, under: &'a str, all: &mut Vec<(&'a str, &'a Tree)>) {
    match &tree.branch {
        Branch::List(items) => items.iter().for_each(|item| scalars(item, under, all)),
        Branch::Map(pairs) => pairs.iter().for_each(|(key, tree)| scalars(tree, &key.text, all)),
        Branch::Null | Branch::Bool(_) | Branch::Number(_) | Branch::Text(_) => all.push((under, tree)),
    }
}

/// The names that may stand in a template: the params, and what the nodes write.
pub fn known_names(parsed: &ParsedProcess) -> BTreeSet<String> {
    let declared = parsed.params.iter().map(|(param, ..)| param.name.clone());
    let mut names: BTreeSet<String> = declared.collect();
    let hooks = parsed.hooks.iter().map(|(_, _, tree)| tree);
    let given = hooks.chain(parsed.schedules.iter().map(|(_, tree)| tree));
    let given = given.filter_map(|tree| tree.get("params"));
    names.extend(given.flat_map(|it| it.entries().iter().map(|(key, _)| key.text.clone())));
    for parsed_node in &parsed.nodes {
        written(&parsed_node.tree, &mut names);
    }
    names
}

/// The keys of maps under `set`, `save` and `accept`, anywhere in a node.
fn written(tree: &Tree, names: &mut BTreeSet<String>) {
    for (key, value) in tree.entries() {
        if matches!(key.text.as_str(), "set" | "save" | "accept") {
            names.extend(value.entries().iter().map(|(key, _)| key.text.clone()));
        }
        written(value, names);
    }
}
