//! The real binary, killed again and again: every planned second makes one task.

use std::collections::BTreeSet;

use crate::cli::place::{Place, until};

const BEAT: &str = "
process: beat
schedule:
  - {name: second, every: 1s, overlap: all, missed: all}
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";

/// The planned times of the tasks, in the order they were made.
fn planned(place: &Place) -> Vec<i64> {
    let tasks = place.json(&["list", "beat", "--limit", "400"]);
    let refs = tasks["items"].as_array().unwrap().iter().map(|it| it["ref"].as_str().unwrap().to_owned());
    let time = |it: String| it.strip_prefix("second-").unwrap().parse::<jiff::Timestamp>();
    refs.map(|it| time(it.clone()).unwrap_or_else(|_| time(it.replacen("+00:00", ":00+00:00", 1)).unwrap()))
        .map(jiff::Timestamp::as_second)
        .collect()
}

#[test]
fn every_planned_time_makes_one_task_however_often_the_engine_dies() {
    let place = Place::new();
    place.write("processes/beat.yaml", BEAT);
    let mut seen = 0;
    for _ in 0..4 {
        let served = place.serve();
        until("more tasks come", || (planned(&place).len() > seen + 2).then_some(()));
        seen = planned(&place).len();
        // Killed, at whatever it does just now.
        drop(served);
    }
    let served = place.serve();
    until("it goes on", || (planned(&place).len() > seen + 2).then_some(()));
    let shown = place.ok(&["schedule", "beat"]);
    assert!(shown.contains("second") && shown.matches(" UTC, ").count() == 5, "{shown}");
    let shown = place.ok(&["processes", "beat"]);
    assert!(shown.contains("every 1s"), "{shown}");
    place.ok(&["schedule", "pause", "beat", "second"]);
    assert!(place.ok(&["schedule", "beat"]).contains("paused"));
    let all = planned(&place);
    let once: BTreeSet<i64> = all.iter().copied().collect();
    assert_eq!(once.len(), all.len(), "a time was run twice: {all:?}");
    let (first, last) = (once.first().unwrap(), once.last().unwrap());
    assert_eq!(usize::try_from(last - first + 1), Ok(all.len()), "a time was lost: {all:?}");
    assert_eq!(served.stop(), Some(0));
}
