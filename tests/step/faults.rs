//! The example on the page of every fault is lived through, and takes that fault.

use beltline::model::entry::FaultEntry;
use beltline::model::fault::{Class, Fault};
use beltline::model::faults;
use beltline::model::signal::Command;
use beltline::model::task::HistoryEvent;
use beltline::model::time::Span;
use serde_json::json;

use crate::simulation::partners::{Scripted, answer};
use crate::simulation::universe::Universe;

/// What no example can bring about by itself, held in `tests/step/together.rs` and `tests/people/acting.rs`:
/// another task must be in the way, somebody with few rights have deployed it, or the engine be at fault.
const NOT_BY_ITSELF: [&str; 5] = ["not_open", "contended", "too_many_reads", "unwritable", "engine_error"];

/// Who is called, read and written to.
const NEIGHBOURS: [&str; 5] = [
    "process: full\nlimits: {tasks: 1}\nnodes:\n  start: {kind: input, next: hold}\n  \
     hold: {kind: wait, next: done}\n  done: {kind: end}\n",
    "process: journal\nnodes:\n  start: {kind: input, next: done}\n  done: {kind: end}\n",
    "process: slow\nnodes:\n  start: {kind: input, next: hold}\n  hold: {kind: wait, next: done}\n  \
     done: {kind: end}\n",
    "process: typed\nparams: {count: {type: integer}}\nnodes:\n  start: {kind: input, next: done}\n  \
     done: {kind: end}\n",
    "process: bitrix\nparams: {key: {type: string, secret: true}}\nnodes:\n  \
     start: {kind: input, next: hold}\n  hold: {kind: wait, next: done}\n  done: {kind: end}\n",
];

/// The example as a process, and the name of its node.
fn process(entry: &FaultEntry) -> (String, String) {
    let name = entry.example.split(':').next().unwrap().to_owned();
    let body: Vec<String> = entry.example.lines().map(|line| format!("  {line}\n")).collect();
    let body = body.concat();
    let start =
        if name == "start" { String::new() } else { format!("  start: {{kind: input, next: {name}}}\n") };
    let mut ends = String::from("  done: {kind: end}\n");
    if entry.example.contains("on_error: tell") {
        ends += "  tell: {kind: end, ok: false}\n";
    }
    let params = "name: {}, portal: {}, text: {}, order: {}";
    (format!("process: example\nparams: {{{params}}}\nnodes:\n{start}{body}{ends}"), name)
}

/// The codes of the faults that the task took at that node.
fn taken(universe: &Universe, node: &str) -> Vec<String> {
    let events = universe.history("example/a").into_iter().flat_map(|it| it.events);
    let at = |it: &HistoryEvent| it.node.as_str() == node;
    events.filter(at).filter_map(|it| it.fault).map(|it| it.code).collect()
}

fn live(entry: &FaultEntry) -> Vec<String> {
    let (text, name) = process(entry);
    let class = entry.class.unwrap_or(Class::Lasting);
    let given = match class {
        Class::Passing => Fault::passing(entry.code, "made by the world"),
        Class::Lasting => Fault::lasting(entry.code, "made by the world"),
        Class::Unsure => Fault::unsure(entry.code, "made by the world"),
    };
    let told = entry.example.contains("kind: notify");
    let outcome = match (entry.outside, entry.code) {
        (true, "outcome_unknown") => Err(Fault::passing("http_lost", "the answer is lost")),
        (true, _) => Err(given.clone()),
        (false, "http_status") => answer(404, "no"),
        (false, _) => answer(200, json!({"order": 7})),
    };
    let processes: Vec<&str> = NEIGHBOURS.iter().copied().chain([text.as_str()]).collect();
    let mut universe = Universe::new(Box::new(Scripted::new(vec![outcome])), &processes);
    if entry.outside && told {
        universe.edges.author().deaf = Some(given);
    }
    universe.submit("bitrix/token", json!({"key": "a made-up key"}));
    universe.run(Span::secs(1));
    universe.submit("full/one", json!({}));
    universe.run(Span::secs(1));
    universe.submit("example/a", json!({"name": "Ada", "portal": "acme", "text": "a\nb", "order": 5}));
    universe.run(Span::secs(1));
    match entry.code {
        "cancelled" => universe.command("slow/told-to-stop", Command::Cancel),
        // The next version has that node no more.
        "no_such_node" => universe.deploy(&process(faults::find("bad_url").unwrap()).0),
        _ => {}
    }
    universe.run(Span::mins(5));
    taken(&universe, &name)
}

#[test]
fn every_fault_is_taken_by_the_example_on_its_page() {
    let mut wrong = Vec::new();
    for entry in faults::all() {
        assert!(!entry.remedy.is_empty(), "{}", entry.code);
        if NOT_BY_ITSELF.contains(&entry.code) {
            continue;
        }
        let taken = live(entry);
        if !taken.iter().any(|code| code == entry.code) {
            wrong.push(format!("{}: {taken:?}", entry.code));
        }
    }
    assert!(wrong.is_empty(), "these took other faults:\n{}", wrong.join("\n"));
}
