//! The flows of a process, found in its text: by the kind of each node and the key a text stands under.

use crate::model::expr::Expr;
use crate::model::text::StringTemplate;
use crate::model::tree::{Branch, Tree};
use crate::model::uses::Uses;
use crate::process::flow::{Callee, Sink, ValueFlow};
use crate::process::parsed::{ParsedNode, ParsedProcess};

/// All flows of a process as it was read.
pub fn flows(parsed: &ParsedProcess) -> Vec<ValueFlow> {
    parsed.nodes.iter().flat_map(of_node).collect()
}

fn of_node(parsed_node: &ParsedNode) -> Vec<ValueFlow> {
    let Some(spec) = parsed_node.spec else { return Vec::new() };
    let tree = &parsed_node.tree;
    let callee = tree.get("process").map(literal);
    let mut all = Vec::new();
    let mut add = |tree: &Tree, into: Sink| {
        let node = parsed_node.name.to_string();
        let replies_of = callee.clone().filter(|_| matches!(spec.name, "call" | "each"));
        all.extend(tree.texts().into_iter().filter_map(|(_, text, spot)| {
            let reads = read(text)?;
            let (node, replies_of, into) = (node.clone(), replies_of.clone(), into.clone());
            Some(ValueFlow { node, reads, replies_of, into, spot })
        }));
    };
    for (key, part) in tree.entries() {
        let named = |sink: fn(String) -> Sink| {
            part.entries().iter().map(move |(key, it)| (it, sink(key.text.clone())))
        };
        match (spec.name, key.text.as_str()) {
            ("set", "set") | ("http" | "call" | "each", "save") => {
                named(Sink::Param).for_each(|(it, into)| add(it, into));
            }
            ("call" | "send" | "each", "params") => {
                for (name, it) in part.entries() {
                    add(it, Sink::Given(callee.clone().flatten(), name.text.clone()));
                }
            }
            ("call" | "send" | "each", "ref" | "process") => add(part, Sink::Name),
            ("reply", "values") => named(Sink::Reply).for_each(|(it, into)| add(it, into)),
            ("end", "result") => add(part, Sink::Result),
            ("wait" | "escalation", "link") => add(part, Sink::Link),
            ("http", "url") => add(part, Sink::Url),
            ("http", "query") => add(part, Sink::Query),
            ("http", "headers") => named(Sink::Header).for_each(|(it, into)| add(it, into)),
            ("http", "form" | "json" | "body" | "xml" | "multipart") => add(part, Sink::Body),
            ("http", "auth" | "tls") => add(part, Sink::Auth),
            _ => {}
        }
    }
    match spec.name {
        "notify" | "escalation" => all.extend(messages(parsed_node)),
        "each" => items_too(tree, &mut all),
        "call" if tree.get("save").is_none() => all.push(taken(parsed_node, callee.flatten())),
        _ => {}
    }
    all
}

/// Without `save`, the values of a reply are laid over the params.
fn taken(parsed_node: &ParsedNode, of: Callee) -> ValueFlow {
    let (reads, into) = (Uses::default(), Sink::Taken(of.clone()));
    ValueFlow {
        node: parsed_node.name.to_string(),
        reads,
        replies_of: Some(of),
        into,
        spot: parsed_node.spot,
    }
}

/// What a message says goes to people, or to the process that tells them. Only what its node reveals is not
/// masked in it.
fn messages(parsed_node: &ParsedNode) -> Vec<ValueFlow> {
    let tree = &parsed_node.tree;
    let reveal = tree.get("reveal").map(Tree::texts).unwrap_or_default();
    if reveal.is_empty() {
        return Vec::new();
    }
    let mut notifiers = Vec::new();
    let levels = tree.get("levels").map(items).unwrap_or_default();
    for notify in levels.iter().filter_map(|it| it.get("notify")).chain(tree.get("notify")) {
        notifiers.push(notify.get("call").map(literal));
    }
    let mut all = Vec::new();
    for name in ["message", "subject"] {
        for (_, text, spot) in tree.get(name).map(Tree::texts).unwrap_or_default() {
            let Some(mut reads) = read(text) else { continue };
            reads.roots.retain(|root| reveal.iter().any(|(_, it, _)| it == root));
            let reads = Uses { roots: reads.roots, ..Uses::default() };
            for notifier in &notifiers {
                let into = match notifier {
                    Some(process) => Sink::Given(process.clone(), name.to_owned()),
                    None => Sink::Message,
                };
                let node = parsed_node.name.to_string();
                all.push(ValueFlow { node, reads: reads.clone(), replies_of: None, into, spot });
            }
        }
    }
    all
}

/// What reads an item reads what the list was made of.
fn items_too(tree: &Tree, all: &mut [ValueFlow]) {
    let texts = tree.get("items").map(Tree::texts).unwrap_or_default();
    let mut items = Uses::default();
    texts.into_iter().filter_map(|(_, text, _)| read(text)).for_each(|it| items.add(it));
    for flow in all.iter_mut().filter(|it| it.reads.roots.contains("item")) {
        flow.reads.add(items.clone());
    }
}

fn items(tree: &Tree) -> Vec<&Tree> {
    match &tree.branch {
        Branch::List(items) => items.iter().collect(),
        _ => Vec::new(),
    }
}

/// The text, if nothing in it is filled later.
fn literal(tree: &Tree) -> Callee {
    tree.name().filter(|it| !it.contains("{{"))
}

/// What a text reads of which something is in what it gives; one that does not parse reads nothing.
fn read(text: &str) -> Option<Uses> {
    match text.strip_prefix('=') {
        Some(expr) => Expr::parse(expr).ok().map(|it| it.flows()),
        None if text.contains("{{") => StringTemplate::parse(text).ok().map(|it| it.flows()),
        None => None,
    }
}
