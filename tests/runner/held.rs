//! A runner never fences itself: what it holds is held, whatever the store and the clock do meanwhile.

use std::sync::Arc;

use beltline::engine::ports::{Clock, Store};
use beltline::model::names::TaskId;
use beltline::model::time::Span;
use beltline::store::memory::Memory;
use serde_json::{Value, json};

use crate::runner::slow::Slow;
use crate::support::fickle::{Fickle, Mood};
use crate::support::house::{House, Plan};
use crate::support::shifted::Shifted;

const PROCESS: &str = r#"
process: keeper
params: {server: {type: string}}
nodes:
  start: {kind: input, next: renew}
  renew:
    kind: http
    method: POST
    url: "{{{server}}}/{{task.ref}}"
    timeout: 20s
    save: {n: "= response.body.n"}
    retry: {times: 1}
    next: done
  done: {kind: end}
"#;

const JOURNAL: &str = r"
process: journal
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, for: 1h, next_on_timeout: done, next: done}
  done: {kind: end}
";

const NAP: &str = "process: nap\nnodes:\n  start: {kind: input, next: nap}\n  \
                   nap: {kind: delay, for: 1ms, next: done}\n  done: {kind: end}\n";

struct Scene {
    house: House,
    store: Arc<Fickle>,
    clock: Arc<Shifted>,
    server: Slow,
    id: TaskId,
}

/// A request is out, and nobody has answered it yet.
async fn scene() -> Scene {
    let (store, clock) = (Fickle::over(Arc::new(Memory::default())), Arc::new(Shifted::default()));
    let plan = Plan { store: store.clone(), clock: clock.clone(), ..Plan::default() };
    let (house, server) = (House::build(plan).await, Slow::new().await);
    house.deploy(PROCESS).await;
    let task = house.submit("keeper", "token", json!({"server": server.url})).await;
    let id = TaskId(task["id"].as_str().unwrap().parse().unwrap());
    server.asked(1).await;
    Scene { house, store, clock, server, id }
}

impl Scene {
    async fn done(&self) -> Value {
        self.house.until("/processes/keeper/tasks/token", |it| it["state"] == "done").await
    }
}

#[tokio::test]
async fn an_answer_waits_for_the_store_however_long() {
    let it = scene().await;
    it.store.is_in(Mood::Refuses);
    it.server.answer(9);
    it.store.has_refused(1).await;
    // Longer than any lease.
    it.clock.later(Span::hours(2));
    it.store.has_refused(3).await;
    it.store.is_in(Mood::Takes);
    let task = it.done().await;
    assert_eq!((&task["params"]["n"], &task["fault"]), (&json!(1), &json!(null)));
    assert_eq!(it.server.asked_so_far().len(), 1, "the answer was there");
}

#[tokio::test]
async fn an_answer_that_comes_while_its_process_is_asked_to_go_is_kept() {
    let it = scene().await;
    it.store.counts(false);
    let going = tokio::spawn(it.house.api("DELETE", "/processes/keeper").send());
    it.store.is_to_count().await;
    let more = it.house.api("POST", "/processes/keeper/tasks").json(&json!({"ref": "more"})).send().await;
    more.problem(404, "no_such_process");
    it.server.answer(9);
    let task = it.done().await;
    assert_eq!((&task["params"]["n"], &task["fault"]), (&json!(1), &json!(null)));
    assert_eq!(it.server.asked_so_far().len(), 1);
    it.store.counts(true);
    going.await.unwrap().ok(204);
    it.house.api("GET", "/processes/keeper").send().await.problem(404, "no_such_process");
}

#[tokio::test]
async fn a_clock_that_steps_makes_no_second_life_of_a_request() {
    let it = scene().await;
    it.house.deploy(NAP).await;
    for time in 1..=2 {
        it.clock.steps(Span::hours(2));
        // However the lease was lost, the task is given out once more.
        for nap in 0.. {
            it.store.resume(it.clock.now()).await.unwrap();
            it.house.submit("nap", &format!("{time}-{nap}"), json!({})).await;
            if it.store.given_out(it.id) >= time {
                break;
            }
        }
    }
    it.server.answer(9);
    let task = it.done().await;
    assert_eq!((&task["params"]["n"], &task["fault"]), (&json!(1), &json!(null)));
    assert_eq!(it.server.asked_so_far().len(), 1);
}

#[tokio::test]
async fn a_commit_that_was_told_to_have_failed_is_not_made_twice() {
    let it = scene().await;
    it.house.deploy(JOURNAL).await;
    let text = PROCESS
        .replace("process: keeper", "process: writer")
        .replace("next: done\n", "next: note\n  note: {kind: send, process: journal, next: done}\n");
    it.house.deploy(&text).await;
    it.house.submit("writer", "one", json!({"server": it.server.url})).await;
    it.server.asked(2).await;
    it.store.is_in(Mood::Lies);
    it.server.answer(9);
    it.store.has_refused(1).await;
    it.store.is_in(Mood::Takes);
    it.done().await;
    it.house.until("/processes/writer/tasks/one", |it| it["state"] == "done").await;
    let journal = it.house.api("GET", "/processes/journal/tasks").send().await.ok(200);
    assert_eq!(journal["items"].as_array().unwrap().len(), 1, "{journal}");
    assert_eq!(it.server.asked_so_far().len(), 2);
}

#[tokio::test]
async fn what_a_dead_runner_held_goes_on_at_once() {
    let it = scene().await;
    let lease_ends = it.house.store.task(it.id).await.unwrap().unwrap().due.unwrap();
    let store = it.house.crash().await;
    let house = House::build(Plan { store, ..Plan::default() }).await;
    let asked = it.server.asked(2).await;
    assert!(house.service.now() < lease_ends && it.clock.now() < lease_ends, "no lease was waited for");
    assert_eq!(asked[0], asked[1], "the same request, with the same key");
    it.server.answer(9);
    house.until("/processes/keeper/tasks/token", |it| it["state"] == "done").await;
}
