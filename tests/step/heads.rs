//! The YAML in the head of every kind is its manual page: each block is put into a process and lived through.

use beltline::model::task::State;
use beltline::model::time::Span;
use beltline::nodes::KINDS;
use beltline::process::yaml;
use serde_json::{Value, json};

use crate::simulation::partners::{Scripted, answer};
use crate::simulation::universe::Universe;

/// Who is called and written to.
const NEIGHBOURS: [&str; 3] = [
    "process: pricing\nnodes:\n  start: {kind: input, next: say}\n  \
     say: {kind: reply, values: {price: 3}, next: done}\n  done: {kind: end}\n",
    "process: journal\nnodes:\n  start: {kind: input, next: done}\n  done: {kind: end}\n",
    "process: bitrix\nnodes:\n  start: {kind: input, next: hold}\n  hold: {kind: wait, next: done}\n  \
     done: {kind: end}\n",
];

/// The blocks of YAML in the head of a file.
fn blocks(source: &str) -> Vec<String> {
    let head: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let lines: Vec<&str> = head.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let text = lines.join("\n");
    text.split("```yaml\n").skip(1).map(|it| it.split("```").next().unwrap().to_owned()).collect()
}

/// The nodes that a block leads to.
fn leads_to(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let is_way = key == "else" || key == "on_error" || key.starts_with("next");
                match value {
                    Value::String(node) if is_way && !found.contains(node) => found.push(node.clone()),
                    // The next page of a list is no node.
                    value if key != "pages" => leads_to(value, found),
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leads_to(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What the examples speak of.
fn given() -> Value {
    json!({
        "city": "Riga", "key": "k", "temperature": 30, "wind": 1, "sku": "a", "count": 2, "attempts": 1,
        "name": "Ada", "draft": "x", "due_at": "2026-12-24T18:00:00Z", "portal": "acme", "text": "a line",
        "order": 5, "total": 7, "price": 3, "sum": 4,
        "picture": "aGVsbG8=",
    })
}

fn embedded(block: &str) -> String {
    let (tree, problems) = yaml::read(block);
    assert!(problems.is_empty(), "{problems:?}\n{block}");
    let value = tree.unwrap().to_value();
    let name = value.as_object().unwrap().keys().next().unwrap().clone();
    let mut ends = Vec::new();
    leads_to(&value, &mut ends);
    let params: Vec<String> =
        given().as_object().unwrap().keys().map(|it| format!("  {it}: {{}}\n")).collect();
    let start = match value[&name]["kind"].as_str().unwrap() {
        "input" => String::new(),
        // A fault before it, for those that speak of one.
        _ => format!(
            "  start: {{kind: input, next: before}}\n  before:\n    kind: http\n    \
             url: \"https://x.example/\"\n    next: {name}\n    on_error: {name}\n"
        ),
    };
    let body: Vec<String> = block.lines().map(|line| format!("  {line}\n")).collect();
    let ends: Vec<String> = ends.iter().map(|it| format!("  {it}: {{kind: end}}\n")).collect();
    let (params, body, ends) = (params.concat(), body.concat(), ends.concat());
    format!("process: example\nparams:\n{params}nodes:\n{start}{body}{ends}")
}

/// Expiries through one example: where it ended.
fn live(text: &str) -> String {
    let body = json!({"main": {"temp": 21}, "id": 5, "price": 3, "items": [{"id": 1}]});
    let partner = Scripted::new(vec![answer(404, "no"), answer(201, body)]);
    let mut processes = NEIGHBOURS.to_vec();
    processes.push(text);
    let mut universe = Universe::new(Box::new(partner), &processes);
    universe.submit("bitrix/token", json!({}));
    universe.run(Span::secs(1));
    universe.submit("example/a", given());
    universe.run(Span::mins(5));
    if universe.task("example/a").state.phase().is_live() {
        universe.modify("example/a", json!({"approved": true, "key": "another"}));
    }
    for _ in 0..40 {
        if universe.task("example/a").state.phase().is_live() {
            universe.run(Span::days(1));
        }
    }
    let task = universe.task("example/a");
    let faults: Vec<_> = universe.history("example/a").into_iter().flat_map(|it| it.events).collect();
    assert!(
        faults.iter().all(|event| {
            event.fault.is_none() || event.node.as_str() == "before" || text.contains("kind: raise")
        }),
        "{faults:#?}\n{text}"
    );
    assert!(matches!(task.state, State::Done | State::Failed), "{:?}\n{text}", task.state);
    task.at.to_string()
}

#[test]
fn every_example_of_every_kind_is_without_problems_and_does_what_it_says() {
    let mut ends = Vec::new();
    for kind in KINDS {
        let blocks = blocks(kind.source);
        assert!(!blocks.is_empty(), "`{}` has no example", kind.name);
        for block in blocks {
            ends.push(format!("{} {}", kind.name, live(&embedded(&block))));
        }
    }
    assert_eq!(
        ends.join(", "),
        "input ask, http warm, http done, http done, http done, http done, http done, delay refresh, \
         delay report, delay close, condition hot, set ask, escalation nap, escalation again, \
         escalation nap, notify done, notify nap, call order, each order, each done, reply done, reply done, \
         raise again, send again, send done, wait decide, end done, end refused"
    );
}
