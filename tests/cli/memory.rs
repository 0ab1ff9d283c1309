//! Nothing in memory grows with what is in the store.

use crate::cli::place::Place;

const KEEPS: &str = "process: keeps
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";
/// As many as fill what SQLite keeps of its pages.
const FIRST: usize = 30_000;
const MORE: usize = 40_000;
const PIECE: usize = 2_000;

fn submit(place: &Place, name: &str, many: usize) {
    for piece in 0..many / PIECE {
        let lines: String = (0..PIECE).map(|it| format!("{{\"ref\": \"{name}-{piece}-{it}\"}}\n")).collect();
        place.write("tasks.ndjson", &lines);
        place.ok(&["submit", "keeps", "--from", "tasks.ndjson"]);
    }
}

fn kept(place: &Place) -> u64 {
    place.json(&["processes", "keeps"])["counts"]["done"]["done"].as_u64().unwrap()
}

#[test]
fn ended_tasks_that_are_kept_cost_no_memory() {
    let place = Place::new();
    place.write("processes/keeps.yaml", KEEPS);
    let served = place.serve();
    submit(&place, "first", FIRST);
    let before = served.rss_mib();
    submit(&place, "more", MORE);
    assert_eq!(kept(&place), u64::try_from(FIRST + MORE).unwrap(), "all of them are there");
    // At a hundred bytes for each it would be four more.
    let after = served.rss_mib();
    assert!(after <= before + 3, "{before} MiB with {FIRST} kept tasks, {after} MiB with {MORE} more");
}
