//! A task that takes the whole engine with it does so twice at most.

use serde_json::Value;

use crate::cli::place::{Place, until};

const NAPS: &str = "\
process: naps
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1s, next: done}
  done: {kind: end}
";

/// Runs an engine until it dies by itself.
fn dies(place: &Place) {
    let mut child = place.command(&["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let status = until("the engine dies", || child.try_wait().unwrap());
    assert_eq!(status.code(), None, "it did not end by itself");
}

#[test]
fn a_task_under_which_the_engine_died_twice_is_set_aside() {
    let place = Place::new().env("BELTLINE_BREAK", "deadly_task");
    place.write("processes/naps.yaml", NAPS);
    let served = place.serve();
    for name in ["deadly", "other"] {
        place.ok(&["submit", "naps", "--ref", name]);
    }
    assert_eq!(served.ended(), None, "it dies of it once");
    dies(&place);
    let served = place.serve();
    let task = |name: &str| -> Value { place.json(&["show", "naps", name])["task"].clone() };
    let state = |name: &str, state: &str| {
        until("it comes to that state", || Some(task(name)).filter(|it| it["state"] == state))
    };
    let deadly = state("deadly", "failed");
    assert_eq!(deadly["fault"]["code"], "engine_error", "{deadly}");
    assert!(deadly["fault"]["message"].as_str().unwrap().contains("died twice"), "{deadly}");
    state("other", "done");
    assert!(served.log().contains("the engine died twice while it decided this task"), "{}", served.log());
    assert_eq!(served.stop(), Some(0));
}
