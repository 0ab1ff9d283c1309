//! A long `each` in the real binary: how it goes on, what it weighs, and that it outlives the engine.

use serde_json::Value;

use crate::cli::place::{Place, until};

/// What the engine may weigh while it runs one.
const RSS_MIB_MAX: u64 = 200;

const MANY: &str = r#"
process: many
params: {list: {type: array, default: []}, n: {type: integer, default: 0}}
limits: {params: 4MiB}
nodes:
  start: {kind: input, next: which}
  which: {kind: condition, branches: [{when: "n > 0", next: numbers}], else: listed}
  numbers:
    kind: each
    items: "= range(n)"
    process: twice
    params: {n: "{{item}}"}
    parallel: 100
    save: {all: "{{response.count}}"}
    next: done
  listed:
    kind: each
    items: "{{list}}"
    process: twice
    params: {n: "{{item}}"}
    parallel: 100
    save: {all: "= response.body|map(attribute='twice')|sum"}
    next: done
  done: {kind: end, result: "{{all}}"}
"#;

const TWICE: &str = r#"
process: twice
nodes:
  start: {kind: input, next: answer}
  answer: {kind: reply, values: {twice: "= n * 2"}, next: done}
  done: {kind: end, keep: 1s}
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("processes/many.yaml", MANY);
    place.write("processes/twice.yaml", TWICE);
    place
}

fn show(place: &Place, name: &str) -> Value {
    place.json(&["show", "many", name])["task"].clone()
}

/// Waits for the end of a task, as long as it goes on.
fn ended(place: &Place, name: &str) -> Value {
    loop {
        let task = show(place, name);
        if task["state"] == "done" {
            return task["result"].clone();
        }
        assert_eq!(task["state"], "waiting", "{task}");
        until("the round goes on", || {
            let now = show(place, name);
            (now["each"]["done"] != task["each"]["done"] || now["state"] == "done").then_some(())
        });
    }
}

#[test]
fn a_long_round_outlives_the_engine_and_stays_small() {
    let place = place();
    let served = place.serve();
    place.ok(&["submit", "many", "--ref", "a", "n:=3000"]);
    let done = until("a part is over", || show(&place, "a")["each"]["done"].as_u64().filter(|it| *it > 0));
    assert_eq!(done % 500, 0);
    let told = place.ok(&["show", "many", "a"]);
    assert!(told.contains("of 3000"), "{told}");
    assert_eq!(served.stop(), Some(0));
    let served = place.serve();
    assert_eq!(ended(&place, "a"), 3_000);
    assert_eq!(
        place.json(&["list", "many"])["items"].as_array().map(Vec::len),
        Some(1),
        "the parts are gone"
    );
    let list: Vec<u64> = (0..1_200).collect();
    let list = format!("list:={}", serde_json::to_string(&list).unwrap());
    place.ok(&["submit", "many", "--ref", "b", &list]);
    assert_eq!(ended(&place, "b"), 1_199 * 1_200);
    let rss = served.rss_mib();
    assert!(rss < RSS_MIB_MAX, "{rss} MiB");
}
