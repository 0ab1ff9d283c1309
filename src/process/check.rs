//! The checks of a process as a whole.

use crate::model::tree::{Branch, Tree};
use crate::process::parsed::{ParsedNode, ParsedProcess};
use crate::process::problem::FileProblem;
use crate::process::process::{ParamKind, RetryPolicy};
use crate::process::{check_hooks, check_params, check_schedule, check_texts, check_ways};

/// The most nodes of one process: more cannot be read by a person, and the checks take their time squared.
pub const NODES_MAX: usize = 1_000;

/// All that is wrong with a process whose parts were read; `nodes` is what its nodes were read from.
pub fn check(parsed: &ParsedProcess, nodes: &Tree) -> Vec<FileProblem> {
    let mut problems = check_params::check(&parsed.params);
    problems.extend(check_hooks::check(parsed));
    problems.extend(check_schedule::check(parsed));
    let Branch::Map(pairs) = &nodes.branch else { return problems };
    if pairs.len() > NODES_MAX {
        let message = format!("a process has at most {NODES_MAX} nodes, and this has {}", pairs.len());
        problems.push(
            FileProblem::new(parsed.nodes_spot, message)
                .hint("split it, and let the parts `call` each other"),
        );
        return problems;
    }
    problems.extend(inputs(parsed, pairs.len()));
    problems.extend(parsed.nodes.iter().flat_map(retry));
    problems.extend(parsed.nodes.iter().flat_map(alarm));
    problems.extend(parsed.nodes.iter().flat_map(at_an_end));
    problems.extend(parsed.nodes.iter().filter_map(|node| unread(node, parsed)));
    problems.extend(check_texts::check(parsed));
    problems.extend(check_ways::check(parsed));
    problems
}

/// There is exactly one node where tasks enter.
fn inputs(parsed: &ParsedProcess, many: usize) -> Vec<FileProblem> {
    let mut inputs = parsed.nodes.iter().filter(|it| check_ways::is_input(it));
    let Some(first) = inputs.next() else {
        let message = if many == 0 { "there are no nodes" } else { "there is no `input` node" };
        let hint = "tasks enter at `start: {kind: input, next: …}`";
        return vec![FileProblem::new(parsed.nodes_spot, message).hint(hint)];
    };
    inputs
        .map(|more| {
            let message = format!("`{}` is a second `input` node", more.name);
            FileProblem::new(more.spot, message).hint(format!("tasks enter at `{}` already", first.name))
        })
        .collect()
}

/// The numbers of `retry` make sense.
fn retry(parsed_node: &ParsedNode) -> Vec<FileProblem> {
    let (Some(node), Some(tree)) = (&parsed_node.node, parsed_node.tree.get("retry")) else {
        return Vec::new();
    };
    let RetryPolicy { times, factor, jitter, .. } = node.retry;
    let rules = [
        ("times", times == 0, "is 1 or more; 1 is never again"),
        ("factor", !(1.0..=100.0).contains(&factor), "is from 1 to 100"),
        ("jitter", !(0.0..=1.0).contains(&jitter), "is from 0 to 1"),
    ];
    let broken = rules.iter().filter(|(_, broken, _)| *broken);
    broken
        .map(|(field, _, rule)| {
            let spot = tree.get(field).map_or(tree.spot, |it| it.spot);
            FileProblem::new(spot, format!("`{field}` {rule}"))
        })
        .collect()
}

/// The numbers of `alarm` make sense, and it does not tell itself.
fn alarm(parsed_node: &ParsedNode) -> Vec<FileProblem> {
    let (Some(node), Some(tree)) = (&parsed_node.node, parsed_node.tree.get("alarm")) else {
        return Vec::new();
    };
    let Some(backlog) = &node.alarm else { return Vec::new() };
    let count = backlog.count;
    let rules = [
        ("count", count == 0, "is 1 or more".to_owned()),
        ("clear", count > 0 && backlog.clear() >= count, format!("is less than `count`, which is {count}")),
        (
            "next",
            backlog.next == node.name,
            "is another node: the task that tells would stand here too".to_owned(),
        ),
    ];
    let broken = rules.into_iter().filter(|(_, broken, _)| *broken);
    broken
        .map(|(field, _, rule)| {
            let spot = tree.get(field).map_or(tree.spot, |it| it.spot);
            FileProblem::new(spot, format!("`{field}` {rule}"))
        })
        .collect()
}

/// What came and could not be read may be a secret, and is for a person: a text that nobody else reads.
fn unread(parsed_node: &ParsedNode, parsed: &ParsedProcess) -> Option<FileProblem> {
    let name = parsed_node.node.as_ref()?.kind.keeps_unread()?;
    let spot = parsed_node.tree.get("keep_unread").map_or(parsed_node.spot, |it| it.spot);
    let declared = parsed.params.iter().map(|(param, ..)| param).find(|it| it.name == name);
    let wrong = match declared {
        None => "there is no such param",
        Some(param) if !param.secret => "it is not `secret`, but a token may stand in an answer",
        Some(param) if param.shared => "it is `shared`, and every process would read it",
        Some(param) if !matches!(param.kind, ParamKind::Any | ParamKind::String) => {
            "what is kept of an answer is a text"
        }
        Some(_) => return None,
    };
    let hint = format!("declare it under `params`: `{name}: {{type: string, secret: true, input: false}}`");
    Some(FileProblem::new(spot, format!("`keep_unread` names `{name}`: {wrong}")).hint(hint))
}

/// No task stands on an `end`, and nothing is tried again there.
fn at_an_end(parsed_node: &ParsedNode) -> Vec<FileProblem> {
    if parsed_node.spec.is_none_or(|spec| spec.name != "end") {
        return Vec::new();
    }
    let useless = ["retry", "limit", "alarm"].into_iter().filter_map(|field| {
        let (key, _) = parsed_node.tree.entries().iter().find(|(key, _)| key.text == field)?;
        Some(FileProblem::new(key.spot, format!("`{field}` makes no sense at an `end`: no task stays there")))
    });
    useless.collect()
}
