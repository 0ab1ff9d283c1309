//! Named limits, each gone over.

use std::collections::HashMap;

use beltline::engine::walk::MOVES_MAX;
use beltline::model::signal::Command;
use beltline::model::time::Span;
use serde_json::json;

use crate::simulation::partners::Scripted;
use crate::simulation::universe::Universe;
use crate::step::bench::Bench;

/// So many `set` nodes behind each other.
fn chain(nodes: usize) -> String {
    let node = |n: usize| match n {
        n if n == nodes => format!("  n{n}: {{kind: end}}\n"),
        n => format!("  n{n}: {{kind: set, set: {{n: {n}}}, next: n{}}}\n", n + 1),
    };
    let nodes: Vec<String> = (0..=nodes).map(node).collect();
    format!("process: p\nnodes:\n  start: {{kind: input, next: n0}}\n{}", nodes.concat())
}

#[test]
fn a_task_that_walks_too_far_yields_and_comes_back() {
    let mut bench = Bench::new(&chain(250), json!({}), &HashMap::new());
    let first = bench.happen("new");
    assert_eq!((first.len(), first.last().unwrap().as_str()), (MOVES_MAX + 1, "= n99 ready, due in 0s"));
    let second = bench.happen("due");
    assert_eq!((second.len(), second.last().unwrap().as_str()), (MOVES_MAX + 1, "= n199 ready, due in 0s"));
    assert_eq!(bench.happen("due").last().unwrap(), "= n250 done, due in 7d");
}

const GROWS: &str = r#"
process: p
params: {a: {}}
limits: {params: 3KiB}
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1s, wake: signal, next: grow}
  grow: {kind: set, set: {a: "{{a}}{{a}}", b: 1}, next: nap, on_error: bad}
  bad: {kind: end, ok: false, result: "= a|length"}
"#;

#[test]
fn params_that_would_be_too_large_are_a_fault_and_stay_as_they_were() {
    let mut bench = Bench::new(GROWS, json!({"a": "x".repeat(1_000)}), &HashMap::new());
    bench.happen("new");
    assert_eq!(bench.happen("due").last().unwrap(), "= nap waiting, due in 1s");
    let signal = format!("signal {{\"c\": \"{}\"}}", "y".repeat(4_000));
    assert_eq!(bench.happen(&signal), ["refused params_too_large", "= nap waiting, due in 1s"]);
    let lines = bench.happen("due");
    assert!(lines[1].contains("fault lasting params_too_large: the params would take 4"), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "= bad failed, due in 7d, result 2000");
}

const NAPS: &str = "
process: p
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1h, next: done}
  done: {kind: end}
";

#[test]
fn while_a_process_is_paused_its_tasks_rest_and_are_woken_after() {
    let mut universe = Universe::new(Box::new(Scripted::new(Vec::new())), &[NAPS]);
    universe.submit("p/a", json!({}));
    universe.run(Span::mins(1));
    universe.pause("p", true);
    universe.submit("p/b", json!({}));
    universe.run(Span::hours(3));
    assert_eq!((universe.node("p/a").as_str(), universe.node("p/b").as_str()), ("nap", "start"));
    universe.command(
        "p/a",
        Command::Modify { params: serde_json::from_str(r#"{"x": 1}"#).unwrap(), revision: None },
    );
    universe.run(Span::hours(1));
    assert_eq!((universe.node("p/a").as_str(), universe.param("p/a", "x")), ("nap", json!(1)));
    universe.pause("p", false);
    universe.run(Span::mins(1));
    assert_eq!((universe.node("p/a").as_str(), universe.node("p/b").as_str()), ("done", "nap"));
}
