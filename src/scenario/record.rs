//! Writes a scenario from a real task's history, as the API shows it: masked.
//!
//! A history says what was asked, what status came, and what was kept of it. So an answer's body is what was
//! saved, put back where it was taken from; what cannot be known is made up or left out. What people did is
//! done again, with the same time between.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::model::faults;
use crate::model::marks::MASK;
use crate::model::time::{Span, Timestamp};
use crate::model::tree::{Branch, Tree};
use crate::process::process::{ParamSpec, Process};
use crate::process::yaml;
use crate::scenario::diff::ANY;

/// A path that is written out whole; of a longer one, its end.
const PATH_MAX: usize = 80;
/// Whole numbers above that are moments, which are not the same the next time.
const MOMENT_MIN: f64 = 1e9;
/// What stands at the end of a text that was cut for the history.
const CUT: char = '…';

/// A task as the API shows it.
#[derive(Debug)]
pub struct RecordedTask<'a> {
    /// The process it is a task of.
    pub process: &'a Process,
    /// Its text.
    pub source: &'a str,
    /// The task.
    pub task: &'a Value,
    /// Its events, oldest first.
    pub events: Vec<&'a Value>,
}

/// What cannot be told from a history and must be tried.
#[derive(Clone, Debug, Default)]
pub struct Guess {
    /// Secrets that have a default, and were given all the same.
    pub given: BTreeSet<String>,
    /// Whether params are expected to be the same in the end.
    pub params: bool,
}

/// All guesses worth trying, the likeliest first.
pub fn guesses(seen: &RecordedTask) -> Vec<Guess> {
    let open = |it: &&ParamSpec| it.secret && it.input && it.default.is_some();
    let open: Vec<&ParamSpec> = seen.process.params.iter().filter(open).take(GUESSED_MAX).collect();
    let mut guesses = Vec::new();
    for params in [true, false] {
        for mask in (0..1usize << open.len()).rev() {
            let picked = open.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1);
            let given = picked.map(|(_, it)| it.name.clone()).collect();
            guesses.push(Guess { given, params });
        }
    }
    guesses
}

/// As many secrets are guessed at: each doubles the tries.
const GUESSED_MAX: usize = 3;

/// The scenario as YAML.
pub fn record(seen: &RecordedTask, guess: &Guess) -> String {
    let (task, process) = (seen.task, seen.process);
    let start = time(task.get("created_at")).unwrap_or_default();
    let reference = text(task, "ref");
    let mut lines = vec![
        format!("# Recorded from the task {}/{reference}.", process.id),
        "# What was masked is made up, and so is of an answer what was not kept of it.".to_owned(),
        format!("process: {}", flow(&json!(process.id))),
        format!("title: {}", flow(&json!(format!("what became of {reference}")))),
        format!("start: {start}"),
        "submit:".to_owned(),
        format!("  ref: {}", flow(&json!(reference))),
        format!("  params: {}", flow(&Value::Object(submitted(seen, guess)))),
    ];
    let with = with(seen);
    if !with.is_empty() {
        lines.push(format!("with: {}", flow(&json!(with))));
    }
    let world = world(seen);
    if !world.is_empty() {
        lines.push("world:".to_owned());
    }
    for (node, answers) in world {
        lines.push(format!("  - node: {}", flow(&json!(node))));
        lines.push("    answers:".to_owned());
        lines.extend(answers.iter().map(|it| format!("      - {}", flow(it))));
    }
    lines.push("then:".to_owned());
    lines.extend(steps(seen, start).iter().map(|it| format!("  - {}", flow(it))));
    lines.push("  - expect:".to_owned());
    for (name, value) in expected(seen, guess) {
        lines.push(format!("      {name}: {}", flow(&value)));
    }
    lines.join("\n") + "\n"
}

/// JSON is YAML.
fn flow(value: &Value) -> String {
    value.to_string()
}

/// What it was submitted with: what it has of what is asked for, as far as no node wrote it.
fn submitted(seen: &RecordedTask, guess: &Guess) -> Map<String, Value> {
    let now = seen.task.get("params").and_then(Value::as_object);
    let mut params = Map::new();
    for (name, value) in now.into_iter().flatten() {
        let spec = seen.process.params.iter().find(|it| it.name == *name);
        let first = first_set(seen, name);
        let value = match spec {
            Some(spec) if !spec.input => continue,
            Some(spec) if spec.secret && spec.default.is_some() && !guess.given.contains(name) => continue,
            Some(spec) if spec.default.as_ref() == Some(value) => continue,
            Some(_) => first.unwrap_or(value),
            None if first.is_some() => continue,
            None => value,
        };
        params.insert(name.clone(), made_up(name, value));
    }
    params
}

/// The value that the history shows first of a param.
fn first_set<'a>(seen: &RecordedTask<'a>, name: &str) -> Option<&'a Value> {
    seen.events.iter().find_map(|entry| entry.get("set")?.get(name))
}

/// The value, with something else where a secret was.
fn made_up(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if text == MASK => format!("made-up-{name}").into(),
        Value::String(text) => literal(&text.replace(MASK, "made-up")).into(),
        Value::Array(items) => items.iter().map(|it| made_up(name, it)).collect(),
        Value::Object(map) => map.iter().map(|(key, it)| (key.clone(), made_up(key, it))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A text that stands for itself, whatever is in it.
fn literal(text: &str) -> String {
    let text = text.replace("{{", "{{\"{{\"}}");
    match text.strip_prefix('=') {
        Some(rest) => format!("{{{{\"=\"}}}}{rest}"),
        None => text,
    }
}

/// The processes that the nodes it came by call.
fn with(seen: &RecordedTask) -> BTreeSet<String> {
    let by = seen.events.iter().map(|entry| text(entry, "node")).collect::<BTreeSet<_>>();
    let nodes = seen.process.nodes.iter().filter(|node| by.contains(node.name.as_str()));
    let calls = nodes.flat_map(|node| node.kind.calls().into_iter().map(str::to_owned).collect::<Vec<_>>());
    calls.filter(|it| it != seen.process.id.as_str()).collect()
}

/// What each node was answered, in order; the last of equal ones stands for all that follow.
fn world(seen: &RecordedTask) -> Vec<(String, Vec<Value>)> {
    let (tree, _) = yaml::read(seen.source);
    let nodes = tree.as_ref().and_then(|tree| tree.get("nodes"));
    let mut order = Vec::new();
    let mut answers: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut open: BTreeMap<&str, bool> = BTreeMap::new();
    for entry in &seen.events {
        let (node, event) = (text(entry, "node"), text(entry, "event"));
        if open.contains_key(node)
            && let Some(answer) = answer(entry, event, nodes.and_then(|nodes| nodes.get(node)))
        {
            open.remove(node);
            answers.entry(node).or_default().push(answer);
        }
        let asked = text(entry, "asked");
        if !asked.is_empty() {
            open.insert(node, asked.starts_with("tell "));
            if !order.contains(&node) {
                order.push(node);
            }
        }
    }
    // Nothing came of these yet.
    for (node, is_message) in open {
        let word = if is_message { "not_delivered" } else { "http_timeout" };
        answers.entry(node).or_default().push(word.into());
    }
    let lines = order.into_iter().filter_map(|node| {
        let mut answers = answers.remove(node)?;
        while answers.len() > 1 && answers[answers.len() - 1] == answers[answers.len() - 2] {
            answers.pop();
        }
        Some((node.to_owned(), answers))
    });
    lines.collect()
}

/// What came, as a scenario says it.
fn answer(entry: &Value, event: &str, node: Option<&Tree>) -> Option<Value> {
    match event {
        "delivered" => Some("delivered".into()),
        "lost" => Some("lost".into()),
        "no answer" => Some(match entry.get("fault").filter(|it| it.is_object()) {
            Some(fault) if text(fault, "code") == "outcome_unknown" => "lost".into(),
            Some(fault) => json!({"fault": {
                "code": fault["code"], "class": fault["class"], "message": fault["message"],
            }}),
            None => "not_delivered".into(),
        }),
        _ => {
            let status: u16 = event.strip_prefix("answered ")?.parse().ok()?;
            let body = body(entry, node?);
            Some(match status {
                200 => json!({"json": body}),
                status => json!({"status": status, "json": body}),
            })
        }
    }
}

/// What was kept of the body, where it was taken from.
fn body(entry: &Value, node: &Tree) -> Value {
    let mut body = Value::Object(Map::new());
    let set = entry.get("set");
    for (key, taken) in node.get("save").map(Tree::entries).unwrap_or_default() {
        let value = set.and_then(|set| set.get(&key.text));
        if let (Some(path), Some(value)) = (path_in_body(taken), value) {
            put(&mut body, &path, made_up(&key.text, value));
        }
    }
    let Some(fault) = entry.get("fault").filter(|it| it.is_object()) else { return body };
    let code = text(fault, "code");
    if faults::find(code).is_some() {
        return body;
    }
    for (key, value) in [("code", code), ("message", text(fault, "message"))] {
        let said = node.get("fault").and_then(|shape| shape.get(key)).and_then(path_in_body);
        let plain = key == "message" && value.starts_with("the answer's status is");
        if let Some(path) = said.filter(|_| !plain) {
            put(&mut body, &path, literal(value).into());
        }
    }
    body
}

/// The path of a value that begins with one in the body, such as `response.body.items[0].id|int`.
fn path_in_body(tree: &Tree) -> Option<Vec<String>> {
    let Branch::Text(text) = &tree.branch else { return None };
    let placeholder = || text.strip_prefix("{{").and_then(|it| it.strip_suffix("}}"));
    let inner = text.strip_prefix('=').or_else(placeholder)?.trim();
    let rest = inner.strip_prefix("response.body")?;
    let word = |it: char| it.is_alphanumeric() || "._[]".contains(it);
    let (path, behind) = rest.split_at(rest.find(|it| !word(it)).unwrap_or(rest.len()));
    let behind = behind.trim_start();
    let parts = path.split(['.', '[', ']']).filter(|it| !it.is_empty()).map(str::to_owned);
    (behind.is_empty() || behind.starts_with('|') || behind.starts_with("if ")).then(|| parts.collect())
}

fn put(body: &mut Value, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *body = value;
        return;
    };
    if let Ok(place) = first.parse::<usize>() {
        if !body.is_array() {
            *body = Value::Array(Vec::new());
        }
        let Value::Array(items) = body else { return };
        if place < ITEMS_MAX {
            items.resize(items.len().max(place + 1), Value::Null);
            put(&mut items[place], rest, value);
        }
        return;
    }
    if !body.is_object() {
        *body = Value::Object(Map::new());
    }
    let Value::Object(map) = body else { return };
    put(map.entry(first.clone()).or_insert(Value::Null), rest, value);
}

/// The longest list that is made up around a value that was kept.
const ITEMS_MAX: usize = 1_000;

/// What people and other tasks did, with the time between.
fn steps(seen: &RecordedTask, start: Timestamp) -> Vec<Value> {
    let (mut steps, mut cursor) = (Vec::new(), start);
    for entry in &seen.events {
        let (event, at) = (text(entry, "event"), time(entry.get("at")).unwrap_or(cursor));
        let (what, by) = event.split_once(" by ").unwrap_or((event, ""));
        let set = || {
            let set = entry.get("set").and_then(Value::as_object).into_iter().flatten();
            set.map(|(name, value)| (name.clone(), made_up(name, value))).collect::<Value>()
        };
        let step = match (what, by) {
            ("modify", "link") => json!({"hook": set()}),
            ("modify", _) | ("signal", "") => json!({"modify": set()}),
            ("move", _) => json!({"move": text(entry, "to")}),
            ("wake" | "retry" | "cancel", by) if !by.is_empty() => what.into(),
            _ => continue,
        };
        wait(&mut steps, &mut cursor, at);
        steps.push(step);
    }
    let last = seen.events.last().and_then(|entry| time(entry.get("at")));
    wait(&mut steps, &mut cursor, last.unwrap_or(start) + LATE);
    steps
}

/// What is due is a little late in reality, and never early here.
const LATE: Span = Span::millis(1);

fn wait(steps: &mut Vec<Value>, cursor: &mut Timestamp, until: Timestamp) {
    let span = until.since(*cursor);
    if span > Span::default() {
        steps.push(json!({"after": span.to_string()}));
        *cursor = until;
    }
}

fn expected(seen: &RecordedTask, guess: &Guess) -> Vec<(&'static str, Value)> {
    let task = seen.task;
    let mut all = vec![
        ("state", json!(text(task, "state"))),
        ("node", json!(text(task, "node"))),
        ("path", path(seen)),
    ];
    let is_plain = |value: &Value| {
        let text = value.to_string();
        let moment = value.as_f64().is_some_and(|it| it > MOMENT_MIN);
        !moment && !text.contains(MASK) && !text.contains(CUT) && !text.contains("\"absent\"")
    };
    if let Some(result) = task.get("result").filter(|it| !it.is_null() && is_plain(it)) {
        all.push(("result", made_up("result", result)));
    }
    if text(task, "state") == "failed"
        && let Some(code) = task.get("fault").and_then(|it| it.get("code"))
    {
        all.push(("fault", code.clone()));
    }
    let params = task.get("params").and_then(Value::as_object).into_iter().flatten();
    let params = params.filter(|(_, value)| guess.params && is_plain(value));
    let params: Map<String, Value> = params.map(|(name, it)| (name.clone(), made_up(name, it))).collect();
    if !params.is_empty() {
        all.push(("params", Value::Object(params)));
    }
    all
}

/// The nodes it came to; of a history that is cut or long, the last ones.
fn path(seen: &RecordedTask) -> Value {
    let nodes = seen.events.iter().filter_map(|entry| entry.get("to")?.as_str());
    let mut path: Vec<&str> = nodes.collect();
    let begins = seen.events.first().is_some_and(|entry| text(entry, "node") == seen.process.start.as_str());
    if path.len() > PATH_MAX || !begins {
        path.drain(..path.len().saturating_sub(PATH_MAX));
        path.insert(0, ANY);
    }
    json!(path)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn time(value: Option<&Value>) -> Option<Timestamp> {
    let at: jiff::Timestamp = value?.as_str()?.parse().ok()?;
    Some(Timestamp(at.as_millisecond()))
}
