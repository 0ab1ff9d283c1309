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
/// The allocator may still grow during some of them; what is kept for each task grows during all.
const TIMES: usize = 4;
const PIECE: usize = 2_000;

fn submit(place: &Place, name: &str, many: usize) {
    for piece in 0..many / PIECE {
        let lines = (0..PIECE).map(|it| format!("{{\"ref\": \"{name}-{piece}-{it}\"}}\n"));
        let lines = lines.collect::<Vec<_>>().concat();
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
    let mut seen = vec![served.rss_mib()];
    for time in 1..=TIMES {
        submit(&place, &format!("more-{time}"), MORE);
        assert_eq!(kept(&place), u64::try_from(FIRST + time * MORE).unwrap(), "all of them are there");
        seen.push(served.rss_mib());
        // At a hundred bytes for each it would be four more.
        if seen[time] <= seen[time - 1] + 3 {
            return;
        }
    }
    panic!("{seen:?} MiB with {FIRST} kept tasks, and with {MORE} more each time");
}
