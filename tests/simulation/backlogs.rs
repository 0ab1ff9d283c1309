//! Alarms of nodes: one task tells that too many stand there, one that they no longer do, whenever the runner
//! dies.

use std::sync::Arc;

use beltline::engine::ports::{Store, TaskQuery};
use beltline::engine::registry::{Deployed, Registry};
use beltline::model::time::Span;
use serde_json::{Value, json};

use crate::simulation::edges::at_once;
use crate::simulation::partners::Scripted;
use crate::simulation::universe::{Universe, process};

const QUEUE: &str = r#"
process: queue
params: {name: {type: string, required: true}, level: {type: integer, default: 3}}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, alarm: {count: 3, next: which}, next: done}
  which: {kind: condition, branches: [{when: "alarm.on", next: crowded}], else: eased}
  crowded: {kind: end, result: "{{alarm.node}} {{alarm.count}} of {{alarm.limit}}, level {{level}}"}
  eased: {kind: end, result: "{{alarm.count}} left"}
  done: {kind: end}
"#;

fn universe(text: &str, deaths: Vec<u64>) -> Universe {
    let registry = Registry::default();
    registry.put(Deployed::new(Arc::new(process(text)), false));
    Universe::with(Box::new(Scripted::new(Vec::new())), Arc::new(registry), deaths)
}

/// What was told, in order.
fn told(universe: &Universe) -> Vec<String> {
    let query = TaskQuery { ref_prefix: Some("alarm-".to_owned()), limit: 99, ..TaskQuery::default() };
    let mut tasks = at_once(universe.edges.disk.tasks(&query)).unwrap();
    tasks.sort_by_key(|task| task.created_at);
    tasks.into_iter().map(|task| task.result.as_ref().and_then(Value::as_str).unwrap().to_owned()).collect()
}

fn live(deaths: Vec<u64>) -> (Vec<String>, u64) {
    let mut universe = universe(QUEUE, deaths);
    let come = |universe: &mut Universe, name: &str| {
        universe.submit(&format!("queue/{name}"), json!({"name": name}));
        universe.run(Span::secs(30));
    };
    let leave = |universe: &mut Universe, name: &str| {
        universe.modify(&format!("queue/{name}"), json!({"go": true}));
        universe.run(Span::secs(30));
    };
    for name in ["a", "b", "c", "d", "e"] {
        come(&mut universe, name);
    }
    for name in ["a", "b", "c", "d"] {
        leave(&mut universe, name);
    }
    for name in ["f", "g", "h"] {
        come(&mut universe, name);
    }
    (told(&universe), universe.edges.doors())
}

#[test]
fn a_backlog_is_told_of_once_when_it_comes_and_once_when_it_goes() {
    let (well, doors) = live(Vec::new());
    assert_eq!(well, ["hold 3 of 3, level 3", "2 left", "hold 3 of 3, level 3"]);
    for door in 0..doors {
        assert_eq!(live(vec![door]).0, well, "died at door {door}");
        assert_eq!(live(vec![door, door + 3]).0, well, "died at doors {door} and {}", door + 3);
    }
    println!("{doors} doors");
}

#[test]
fn an_alarm_is_over_when_as_few_stand_there_as_it_says() {
    let mut universe = universe(&QUEUE.replace("count: 3", "count: 3, clear: 0"), Vec::new());
    for name in ["a", "b", "c"] {
        universe.submit(&format!("queue/{name}"), json!({"name": name}));
    }
    universe.run(Span::secs(5));
    for name in ["a", "b"] {
        universe.modify(&format!("queue/{name}"), json!({"go": true}));
        universe.run(Span::secs(5));
    }
    assert_eq!(told(&universe), ["hold 3 of 3, level 3"]);
    universe.modify("queue/c", json!({"go": true}));
    universe.run(Span::secs(5));
    assert_eq!(told(&universe), ["hold 3 of 3, level 3", "0 left"]);
}

#[test]
fn a_backlog_that_goes_on_and_off_is_told_of_a_few_times_a_second_at_most() {
    let mut universe = universe(QUEUE, Vec::new());
    for name in ["a", "b"] {
        universe.submit(&format!("queue/{name}"), json!({"name": name}));
    }
    // Thirty come and go in three seconds.
    for n in 0..30 {
        universe.submit(&format!("queue/n{n}"), json!({"name": "n"}));
        universe.run(Span::millis(50));
        universe.modify(&format!("queue/n{n}"), json!({"go": true}));
        universe.run(Span::millis(50));
    }
    universe.run(Span::secs(5));
    let told = told(&universe);
    assert!((2..=13).contains(&told.len()), "{told:?}");
    assert!(told.last().unwrap().ends_with("left"), "{told:?}");
}
