//! Rounds of calls: whenever the runner dies, every item is called for once, and the replies stand in order.

use std::sync::Arc;

use beltline::engine::ports::{Store, TaskQuery};
use beltline::engine::registry::{Deployed, Registry};
use beltline::model::names::ProcessId;
use beltline::model::signal::Command;
use beltline::model::task::Task;
use beltline::model::time::Span;
use serde_json::{Value, json};

use crate::simulation::edges::at_once;
use crate::simulation::partners::Scripted;
use crate::simulation::universe::{Universe, process};

/// Calls for every item of a list, and for each of many numbers: the second round is run in chunks.
const MANY: &str = r#"
process: many
nodes:
  start: {kind: input, next: prices}
  prices:
    kind: each
    items: [a, b, c, d, e, f, g]
    process: pricing
    ref: "{{task.ref}}-{{item}}"
    params: {sku: "{{item}}", n: "{{index}}", mine: "{{var.rate ?? 2}}"}
    parallel: 3
    failures: all
    save: {prices: "{{response.body}}", failed: "{{response.failed}}"}
    next: long
  long:
    kind: each
    items: "= range(1000, 1510)"
    process: pricing
    params: {sku: b, n: "{{item}}"}
    parallel: 255
    save: {many: "{{response.count}}"}
    next: done
  done: {kind: end, result: "= [prices, failed, many]"}
"#;

const PRICING: &str = r#"
process: pricing
nodes:
  start: {kind: input, next: which}
  which:
    kind: condition
    branches:
      - {when: "sku == 'c'", next: nap}
      - {when: "sku == 'e'", next: refuse}
      - {when: "sku == 'f'", next: done}
    else: answer
  nap: {kind: delay, for: 3s, next: answer}
  refuse: {kind: raise, code: sold_out, message: "no {{sku}}"}
  answer: {kind: reply, values: {price: "= n * 2"}, next: done}
  done: {kind: end}
"#;

fn universe(texts: &[&str], deaths: Vec<u64>) -> Universe {
    let registry = Registry::default();
    for text in texts {
        registry.put(Deployed::new(Arc::new(process(text)), false));
    }
    Universe::with(Box::new(Scripted::new(Vec::new())), Arc::new(registry), deaths)
}

fn all(universe: &Universe, of: &str) -> Vec<Task> {
    let process = Some(ProcessId::new(of).unwrap());
    let query = TaskQuery { process, limit: usize::MAX, ..TaskQuery::default() };
    at_once(universe.edges.disk.tasks(&query)).unwrap()
}

/// How it ends: the result, and how many were called.
fn live(deaths: Vec<u64>) -> (Value, usize, u64) {
    let mut universe = universe(&[MANY, PRICING], deaths);
    universe.submit("many/a", json!({}));
    universe.run(Span::mins(5));
    let task = universe.task("many/a");
    let chunks = all(&universe, "many");
    assert_eq!(chunks.len(), 1, "{chunks:#?}");
    (task.result.unwrap_or_default(), all(&universe, "pricing").len(), universe.edges.doors())
}

#[test]
fn every_item_is_called_for_once_whenever_the_runner_dies() {
    let (result, called, doors) = live(Vec::new());
    assert_eq!(called, 7 + 510);
    let price = |n: u64| json!({"price": n});
    let fault =
        |code: &str, message: &str| json!({"fault": {"code": code, "class": "lasting", "message": message}});
    let unsaid = fault("no_reply", "process `pricing` ended without a reply");
    let replies =
        json!([price(0), price(2), price(4), price(6), fault("sold_out", "no e"), unsaid, price(12)]);
    assert_eq!(result, json!([replies, 2, 510]));
    println!("{doors} doors");
    // Every second one, for a life of many calls takes its time.
    for door in (0..doors).step_by(2) {
        let (again, called_again, _) = live(vec![door]);
        assert_eq!((again, called_again), (result.clone(), called), "died at door {door}");
    }
    for door in (0..doors).step_by(16) {
        let (again, called_again, _) = live(vec![door, door + 4]);
        assert_eq!((again, called_again), (result.clone(), called), "died at doors {door} and {}", door + 4);
    }
}

const STOPS: &str = r#"
process: stops
params: {list: {type: array, default: []}}
nodes:
  start: {kind: input, next: run}
  run:
    kind: each
    items: "{{list}}"
    process: slow
    params: {sku: "{{item}}"}
    parallel: 4
    limit: {time: 25m, next: late}
    retry: {times: 3, first: 1s}
    on_error: bad
    next: done
  late: {kind: end, ok: false, result: late}
  bad: {kind: end, ok: false, result: "{{fault.code}}: {{fault.message}}"}
  done: {kind: end, result: well}
"#;

const SLOW: &str = r#"
process: slow
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1m, next: which}
  which: {kind: condition, branches: [{when: "sku == 30", next: refuse}], else: answer}
  refuse: {kind: raise, code: no, message: "not {{sku}}", class: passing}
  answer: {kind: reply, next: done}
  done: {kind: end}
"#;

/// A long fan-out that is stopped so: what came of it, and how many were called.
fn stopped(first: u64, stop: impl FnOnce(&mut Universe)) -> (String, usize) {
    let mut universe = universe(&[STOPS, SLOW], Vec::new());
    let list: Vec<u64> = (first..first + 600).collect();
    universe.submit("stops/a", json!({"list": list}));
    universe.run(Span::secs(150));
    stop(&mut universe);
    universe.run(Span::hours(2));
    assert_eq!(all(&universe, "stops").len(), 1, "the chunks are gone");
    let task = universe.task("stops/a");
    assert!(!task.state.phase().is_live() && task.fan_out.is_none(), "{task:?}");
    (task.result.unwrap_or_default().to_string(), all(&universe, "slow").len())
}

#[test]
fn a_round_that_is_stopped_makes_no_more_calls() {
    let cancel = |universe: &mut Universe| universe.command("stops/a", Command::Cancel);
    assert_eq!(stopped(1_000, cancel), ("null".to_owned(), 12));
    let to_done = |universe: &mut Universe| {
        universe.command("stops/a", Command::Move { to: "done".parse().unwrap() });
    };
    assert_eq!(stopped(1_000, to_done), ("\"well\"".to_owned(), 12));
    // 25 minutes, four at their beginning and four with each.
    assert_eq!(stopped(1_000, |_| ()), ("\"late\"".to_owned(), 104));
    // Item 30 fails; three at its side were called, and two for those that replied before it. It is tried
    // again twice, from the start.
    let (result, called) = stopped(0, |_| ());
    assert_eq!(result, "\"no: item 30: not 30\"");
    assert_eq!(called, 34 * 3);
}

#[test]
fn a_part_cannot_go_its_own_way_and_a_list_does_not_change() {
    let chunk = |universe: &Universe| {
        let chunks: Vec<Task> = all(universe, "stops").into_iter().filter(Task::is_chunk).collect();
        assert_eq!(chunks.len(), 1);
        format!("stops/{}", chunks[0].reference)
    };
    let move_part = |universe: &mut Universe| {
        let chunk = chunk(universe);
        universe.command(&chunk, Command::Move { to: "done".parse().unwrap() });
    };
    let (result, called) = stopped(1_000, move_part);
    assert_eq!((result.as_str(), called), ("\"cancelled: the task was cancelled\"", 12));
    // Seen when the second chunk is to be made.
    let mut universe = universe(&[STOPS.replace("25m", "9h").as_str(), SLOW], Vec::new());
    universe.submit("stops/a", json!({"list": (1_000..1_600).collect::<Vec<u64>>()}));
    universe.run(Span::mins(2));
    universe.modify("stops/a", json!({"list": [1]}));
    universe.run(Span::hours(3));
    let result = universe.task("stops/a").result.unwrap_or_default().to_string();
    assert!(result.contains("items_changed"), "{result}");
    assert_eq!(all(&universe, "slow").len(), 500);
}
