//! Places are shared: requests that hang keep nobody else's waiting, and least of all a token's renewal.

use std::sync::Arc;

use beltline::engine::ports::Clock;
use beltline::model::names::TaskId;
use beltline::model::time::Span;
use serde_json::json;

use crate::runner::slow::Slow;
use crate::support::house::{House, Plan};
use crate::support::shifted::Shifted;

const PLACES: usize = 8;

fn process(name: &str, params: &str) -> String {
    let text = r#"
process: NAME
params: {server: {type: string}PARAMS}
nodes:
  start: {kind: input, next: ask}
  ask: {kind: http, method: POST, url: "{{{server}}}/{{task.ref}}", timeout: 1m, next: done}
  done: {kind: end}
"#;
    text.replace("NAME", name).replace("PARAMS", params)
}

#[tokio::test]
async fn requests_that_hang_keep_no_renewal_and_no_other_process_waiting() {
    let (hangs, other, tokens) = (Slow::new().await, Slow::new().await, Slow::new().await);
    let house = House::build(Plan { effects_max: PLACES, ..Plan::default() }).await;
    house.deploy(&process("hanging", "")).await;
    house.deploy(&process("other", "")).await;
    house
        .deploy(&process("keeper", ", token: {secret: true, expiry: {at: end}}, end: {type: integer}"))
        .await;
    for at in 0..3 * PLACES {
        house.submit("hanging", &format!("h{at}"), json!({"server": hangs.url})).await;
    }
    assert_eq!(hangs.asked(PLACES / 2).await.len(), PLACES / 2, "it has its half");
    other.answer(usize::MAX >> 8);
    house.submit("other", "o", json!({"server": other.url})).await;
    house.until("/processes/other/tasks/o", |it| it["state"] == "done").await;
    // All places that are not kept for tokens are taken.
    let slow = Slow::new().await;
    for at in 0..2 * PLACES {
        house.submit("other", &format!("s{at}"), json!({"server": slow.url})).await;
    }
    assert_eq!(slow.asked(PLACES / 4).await.len(), PLACES / 4);
    let end = house.service.now().seconds() + 600;
    let params = json!({"server": tokens.url, "token": "made-up", "end": end});
    house.submit("keeper", "token", params).await;
    tokens.asked(1).await;
    tokens.answer(1);
    house.until("/processes/keeper/tasks/token", |it| it["state"] == "done").await;
    assert_eq!((hangs.asked_so_far().len(), slow.asked_so_far().len()), (PLACES / 2, PLACES / 4));
    hangs.answer(usize::MAX >> 8);
    slow.answer(usize::MAX >> 8);
    hangs.asked(3 * PLACES).await;
    slow.asked(2 * PLACES).await;
}

#[tokio::test]
async fn what_waits_for_a_place_keeps_its_lease_and_is_asked_once() {
    let (server, clock) = (Slow::new().await, Arc::new(Shifted::default()));
    let house = House::build(Plan { effects_max: 1, clock: clock.clone(), ..Plan::default() }).await;
    let asked_once = process("plain", "").replace("timeout: 1m", "timeout: 1m, unsure: stop");
    house.deploy(&asked_once).await;
    for name in ["first", "second"] {
        house.submit("plain", name, json!({"server": server.url})).await;
    }
    server.asked(1).await;
    let second = house.api("GET", "/processes/plain/tasks/second").send().await.ok(200);
    let id = TaskId(second["id"].as_str().unwrap().parse().unwrap());
    // All leases are over, and are renewed.
    clock.steps(Span::hours(1));
    let mut commits = house.service.commits();
    loop {
        commits.mark_unchanged();
        let task = house.store.task(id).await.unwrap().unwrap();
        if task.due.is_some_and(|lease| lease > clock.now()) {
            break;
        }
        commits.changed().await.unwrap();
    }
    server.answer(2);
    let asked = server.asked(2).await;
    assert_eq!(asked.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    let task = house.until("/processes/plain/tasks/second", |it| it["state"] == "done").await;
    assert_eq!(task["fault"], json!(null));
    assert_eq!(server.asked_so_far().len(), 2);
}

#[tokio::test]
async fn what_waits_for_a_place_longer_than_its_node_says_has_a_fault() {
    let (server, clock) = (Slow::new().await, Arc::new(Shifted::default()));
    let house = House::build(Plan { effects_max: 1, clock: clock.clone(), ..Plan::default() }).await;
    let text = process("hurried", "")
        .replace("timeout: 1m, next: done", "timeout: 10m, permit_timeout: 1m, next: done, on_error: sorry")
        .replace("done: {kind: end}", "sorry: {kind: wait, next: done}\n  done: {kind: end}");
    house.deploy(&text.replace("permit_timeout", "retry: {times: 1}, permit_timeout")).await;
    for name in ["first", "second"] {
        house.submit("hurried", name, json!({"server": server.url})).await;
    }
    server.asked(1).await;
    clock.later(Span::mins(2));
    let second = house.until("/processes/hurried/tasks/second", |it| it["node"] == "sorry").await;
    assert_eq!(second["fault"]["code"], "no_room", "{second}");
    server.answer(1);
    house.until("/processes/hurried/tasks/first", |it| it["state"] == "done").await;
    assert_eq!(server.asked_so_far().len(), 1);
}
