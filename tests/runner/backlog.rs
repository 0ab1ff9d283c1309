//! What is due and takes long to decide is kept in memory up to a bound; the rest stays in the
//! store, and loses nothing but time.

use std::sync::Arc;

use beltline::engine::ports::{Store, TaskQuery};
use beltline::model::time::Span;
use beltline::store::memory::Memory;
use serde_json::json;

use crate::support::house::{House, Plan};
use crate::support::shifted::Shifted;

/// Makes more bytes than a decision in passing may.
const HEAVY: &str = r"
process: heavy
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1h, next: work}
  work:
    kind: set
    set:
      n: >-
        = [load, load, load, load, load, load, load, load, load, load,
        load, load, load, load, load, load, load, load, load, load]|map('upper')|list|length
      load: 0
    next: done
  done: {kind: end}
";
const TASKS: usize = 330;
/// As much as a task may carry, nearly.
const LOAD_BYTES: usize = 250_000;

#[tokio::test]
async fn what_is_more_than_memory_should_hold_goes_back_to_the_store_and_is_done_later() {
    let (store, clock) = (Arc::new(Memory::default()), Arc::new(Shifted::default()));
    let house = House::build(Plan { store: store.clone(), clock: clock.clone(), ..Plan::default() }).await;
    house.deploy(HEAVY).await;
    let load = "x".repeat(LOAD_BYTES);
    for n in 0..TASKS {
        house.submit("heavy", &format!("t{n}"), json!({"load": load})).await;
    }
    clock.later(Span::hours(1));
    let all_done = |it: &serde_json::Value| it["counts"]["done"]["done"] == TASKS;
    house.until("/processes/heavy", all_done).await;
    let query = TaskQuery { limit: TASKS, ..TaskQuery::default() };
    let tasks = store.tasks(&query).await.unwrap();
    assert_eq!(tasks.len(), TASKS);
    assert!(tasks.iter().all(|it| it.params.map()["n"] == 20));
    let epochs: Vec<u64> = tasks.iter().map(|it| it.epoch).collect();
    let (first, last) = (epochs.iter().min(), epochs.iter().max());
    assert!(first < last, "some were claimed once more: {first:?} {last:?}");
    house.close().await;
}
