//! Whether the texts of the nodes read what they may, and what there is.

use std::collections::BTreeSet;

use crate::model::expr::Expr;
use crate::model::near;
use crate::model::scope::RESERVED;
use crate::model::text::StringTemplate;
use crate::model::tree::{Branch, MapKey, Spot, Tree};
use crate::process::file::COMMON;
use crate::process::parsed::{ParsedNode, ParsedProcess, known_names};
use crate::process::problem::FileProblem;

/// Shorter names are too near to each other for a guess.
const GUESS_CHARS_MIN: usize = 4;
/// What the answer of an `http` node has; "" is all of it.
const ANSWER: [&str; 4] = ["", "status", "headers", "body"];
/// What it has beside that with `pages`.
const PAGED: [&str; 3] = ["items", "pages", "truncated"];

/// What a task says of itself; the last two in messages of alarms alone.
const TASK: [&str; 14] = [
    "id",
    "ref",
    "process",
    "node",
    "created_at",
    "attempt",
    "visit",
    "key",
    "link",
    "chance",
    "callback",
    "alarm",
    "level",
    "ack_link",
];
/// What a fault has.
const FAULT: [&str; 7] = ["code", "class", "message", "node", "status", "at", "retry_after"];
/// Keys of nodes under which a text stands and no value.
const TEXTS: [&str; 4] = ["url", "body", "message", "subject"];

/// All that is wrong with the texts.
pub fn check(parsed: &ParsedProcess) -> Vec<FileProblem> {
    let mut known = known_names(parsed);
    known.extend(RESERVED.map(str::to_owned));
    if parsed.nodes.iter().any(|it| it.tree.get("alarm").is_some()) {
        known.insert("alarm".to_owned());
    }
    parsed.nodes.iter().flat_map(|parsed_node| parsed_node_texts(parsed_node, &known)).collect()
}

fn parsed_node_texts(parsed_node: &ParsedNode, known: &BTreeSet<String>) -> Vec<FileProblem> {
    let Some(spec) = parsed_node.spec else { return Vec::new() };
    let own = parsed_node.node.as_ref().map(|node| node.kind.names()).unwrap_or_default();
    let mut problems: Vec<FileProblem> = parsed_node.tree.entries().iter().filter_map(unequal).collect();
    for (top, under, text, spot) in own_texts(parsed_node) {
        let Names { roots, secrets, answers, facts } = names(under, text);
        // What is called is no field.
        let fields = facts.iter().filter(|(root, name)| !text.contains(&format!("{root}.{name}(")));
        problems.extend(fields.filter_map(|(root, name)| unknown_fact(root, name, within(spot, text, name))));
        problems.extend(answers.iter().filter_map(|field| {
            let name = if field.is_empty() { "response".to_owned() } else { format!("response.{field}") };
            let (message, hint) = wrong_answer(parsed_node, spec.name, top, field)?;
            Some(FileProblem::new(within(spot, text, &name), message).hint(hint))
        }));
        problems.extend(constant(under, text, spot));
        if let Some(secret) = secrets.iter().next().filter(|_| !spec.secrets) {
            let message = format!("`secret.{secret}` cannot stand in a node of kind `{}`", spec.name);
            let hint = "a secret is put only into what goes straight to the world, such as an `http` node";
            problems
                .push(FileProblem::new(within(spot, text, &format!("secret.{secret}")), message).hint(hint));
        }
        for root in roots.iter().filter(|root| !known.contains(*root) && !own.contains(&root.as_str())) {
            let Some(near) = guess(root, known) else { continue };
            let message = format!("no param is called `{root}`");
            let hint = format!("did you mean `{near}`? if not, declare `{root}` under `params`");
            problems.push(FileProblem::new(within(spot, text, root), message).hint(hint));
        }
    }
    problems
}

/// A text that looks like an expression, where only texts stand: it would go out as it is written.
fn unequal((key, tree): &(MapKey, Tree)) -> Option<FileProblem> {
    let Branch::Text(text) = &tree.branch else { return None };
    let expr = text.strip_prefix('=').filter(|it| it.starts_with(' '))?.trim();
    if !TEXTS.contains(&key.text.as_str()) {
        return None;
    }
    let message = format!("`{}` is a text, and no expression: `{text}` would go out as it stands", key.text);
    let is_path = expr.chars().all(|it| it.is_alphanumeric() || matches!(it, '_' | '.' | '[' | ']'));
    let hint = match is_path {
        true => format!("write `{{{{{expr}}}}}`"),
        false => format!("work it out in a `set` node, as `value: \"= {expr}\"`, and write `{{{{value}}}}`"),
    };
    Some(FileProblem::new(tree.spot, message).hint(hint))
}

/// What neither a task nor a fault has.
fn unknown_fact(root: &str, name: &str, spot: Spot) -> Option<FileProblem> {
    let known: &[&str] = if root == "task" { &TASK } else { &FAULT };
    if known.contains(&name) {
        return None;
    }
    let hint = match near::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{root}.{near}`?"),
        None if root == "task" && name == "params" => {
            "a param is read by its name alone; all of them are `params`".to_owned()
        }
        None => format!("there is {}", known.join(", ")),
    };
    Some(FileProblem::new(spot, format!("no {root} has `{root}.{name}`")).hint(hint))
}

/// The texts that belong to the kind, each with the key of the node and the one it stands under.
fn own_texts(parsed_node: &ParsedNode) -> impl Iterator<Item = (&str, &str, &str, Spot)> {
    let own = parsed_node.tree.entries().iter().filter(|(key, _)| !COMMON.contains(&key.text.as_str()));
    own.flat_map(|(key, tree)| {
        let top = key.text.as_str();
        let texts = tree.texts().into_iter();
        texts.map(move |(under, text, spot)| (top, if under.is_empty() { top } else { under }, text, spot))
    })
}

/// What is wrong with reading that of an answer there, and what would help.
fn wrong_answer(parsed_node: &ParsedNode, kind: &str, top: &str, field: &str) -> Option<(String, String)> {
    let answered: &[&str] = match kind {
        "http" => &["ok", "fault", "save", "pages"],
        "call" | "each" => &["save"],
        _ => &[],
    };
    if !answered.contains(&top) {
        let message = format!("there is no answer in `{top}` of a node of kind `{kind}`");
        let hint = "`save` of the node that asks keeps what is needed later: `save: {v: = response.body}`";
        return Some((message, hint.to_owned()));
    }
    if kind != "http" || ANSWER.contains(&field) {
        return None;
    }
    match (PAGED.contains(&field), parsed_node.tree.get("pages")) {
        (true, Some(_)) => None,
        (true, None) => {
            let message = format!("no answer has `response.{field}` without `pages`");
            Some((message, format!("what the server calls so is `response.body.{field}`")))
        }
        (false, _) => Some((format!("no answer has `response.{field}`"), answer_hint(field))),
    }
}

/// A condition that is a bare number or a bare text was meant to be compared with something. One that works
/// something out of nothing, such as `1 > 0`, is meant so, and so are `true` and `false`.
fn constant(under: &str, text: &str, spot: Spot) -> Option<FileProblem> {
    let expr = text.strip_prefix('=').unwrap_or(text).trim();
    let quoted = |quote: char| {
        let inner = expr.strip_prefix(quote).and_then(|it| it.strip_suffix(quote));
        inner.is_some_and(|it| !it.contains(quote))
    };
    let is_bare = expr.parse::<f64>().is_ok() || quoted('"') || quoted('\'');
    if !matches!(under, "when" | "ok") || !is_bare {
        return None;
    }
    let status = expr.parse().is_ok_and(|it: u16| (100..600).contains(&it));
    let hint = match (under, status) {
        ("ok", true) => format!("`response.status == {expr}`"),
        _ => "write what is looked at, as in `count > 5`".to_owned(),
    };
    Some(
        FileProblem::new(spot, format!("`{under}: {expr}` looks at nothing, and is always the same"))
            .hint(hint),
    )
}

/// What other tools call it.
fn answer_hint(field: &str) -> String {
    let meant = match field.to_ascii_lowercase().as_str() {
        "status_code" | "statuscode" | "code" => "status",
        "json" | "text" | "data" | "content" | "json_body" => "body",
        other => match near::nearest(other, ANSWER.into_iter().chain(PAGED).filter(|it| !it.is_empty())) {
            Some(near) => near,
            None => return format!("an answer is `status`, `headers` and `body`: `response.body.{field}`"),
        },
    };
    format!("did you mean `response.{meant}`?")
}

#[derive(Default)]
struct Names {
    roots: BTreeSet<String>,
    secrets: BTreeSet<String>,
    answers: BTreeSet<String>,
    facts: BTreeSet<(String, String)>,
}

/// What a text reads. A text that does not parse reads nothing: its node says so itself.
fn names(under: &str, text: &str) -> Names {
    let expr = match text.strip_prefix('=') {
        Some(expr) => Some(expr),
        None => matches!(under, "when" | "ok").then_some(text),
    };
    let uses = match expr {
        Some(expr) => Expr::parse(expr).map(|it| it.uses()),
        None => StringTemplate::parse(text).map(|it| it.uses()),
    };
    let uses =
        uses.map(|it| Names { roots: it.roots, secrets: it.secrets, answers: it.answers, facts: it.facts });
    uses.unwrap_or_default()
}

/// The name that an unknown one was most likely meant to be. Params are open, so only a slip of the finger
/// counts.
fn guess<'a>(root: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let long = root.chars().count() >= GUESS_CHARS_MIN;
    let near = near::nearest(root, known.iter().map(String::as_str))?;
    let apart = strsim::osa_distance(root, near);
    (long && (apart <= 1 || apart == 2 && root.chars().count() > 2 * GUESS_CHARS_MIN)).then_some(near)
}

/// Where a name stands in a text.
fn within(spot: Spot, text: &str, name: &str) -> Spot {
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    let mut found = text
        .match_indices(name)
        .filter(|(at, _)| !text[..*at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part));
    found.next().map_or(spot, |(at, _)| spot.within(text, at..at + name.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::fault::Fault;
    use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
    use crate::model::params::Params;
    use crate::model::scope::{AlarmContext, EvalContext, ReadSet};
    use crate::model::task::{Birth, Seed, Task};
    use crate::model::time::Timestamp;

    /// The names of what a text sees under `root` in the message of an alarm.
    fn seen(root: &str) -> BTreeSet<String> {
        let address = Address { process: ProcessId::new("p").unwrap(), reference: Ref::new("one").unwrap() };
        let birth = Birth::new(TaskId(1), Seed([0; 16]));
        let mut task =
            Task::new(birth, address, NodeName::new("a").unwrap(), Params::default(), Timestamp(0));
        task.fault = Some(Fault::lasting("oops", "no"));
        let view = EvalContext::new(task, &ReadSet::default(), Timestamp(0));
        let told = AlarmContext { key: "k".to_owned(), level: 0 };
        match view.with_telling(told).name(root) {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_names_that_are_known_are_those_there_are() {
        assert_eq!(seen("task"), TASK.map(str::to_owned).into());
        assert_eq!(seen("fault"), FAULT.map(str::to_owned).into());
    }
}
