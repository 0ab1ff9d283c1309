//! A stop in the middle of work: what was not asked is un-asked, what is out is waited for.

use std::sync::Arc;

use beltline::model::time::Span;
use beltline::store::memory::Memory;
use serde_json::json;

use crate::runner::slow::{Slow, names};
use crate::support::fickle::{Fickle, Mood};
use crate::support::house::{House, Plan};

const TWO: &str = r#"
process: two
params: {server: {type: string}}
nodes:
  start: {kind: input, next: first}
  first: {kind: http, method: POST, url: "{{{server}}}/first", timeout: 20s, retry: {times: 1}, next: second}
  second:
    kind: http
    method: POST
    url: "{{{server}}}/second"
    timeout: 20s
    retry: {times: 1}
    unsure: stop
    next: done
  done: {kind: end}
"#;

#[tokio::test]
async fn a_request_that_a_stopping_engine_did_not_make_is_not_unknown() {
    let server = Slow::new().await;
    let house = House::open().await;
    house.deploy(TWO).await;
    house.submit("two", "one", json!({"server": server.url})).await;
    server.asked(1).await;
    let (store, ()) = tokio::join!(house.close(), async { server.answer(1) });
    assert_eq!(names(&server.asked_so_far()), ["first"], "nothing new is asked");
    let house = House::build(Plan { store, ..Plan::default() }).await;
    assert_eq!(names(&server.asked(2).await), ["first", "second"]);
    server.answer(1);
    let task = house.until("/processes/two/tasks/one", |it| it["state"] == "done").await;
    assert_eq!(task["fault"], json!(null));
}

#[tokio::test]
async fn what_is_not_asked_at_a_stop_is_not_unknown_though_the_disk_is_full_from_then_on() {
    let (server, store) = (Slow::new().await, Fickle::over(Arc::new(Memory::default())));
    let grace = Some(Span::millis(500));
    let house = House::build(Plan { store: store.clone(), grace, ..Plan::default() }).await;
    house.deploy(TWO).await;
    house.submit("two", "one", json!({"server": server.url})).await;
    server.asked(1).await;
    store.is_in(Mood::TakesOne);
    let (kept, ()) = tokio::join!(house.close(), async { server.answer(1) });
    store.is_in(Mood::Takes);
    let house = House::build(Plan { store: kept, ..Plan::default() }).await;
    server.answer(1);
    let ended = |it: &serde_json::Value| it["state"] == "done" || it["state"] == "failed";
    let task = house.until("/processes/two/tasks/one", ended).await;
    assert_eq!((&task["state"], &task["fault"]), (&json!("done"), &json!(null)));
    assert_eq!(names(&server.asked_so_far()), ["first", "second"]);
}

#[tokio::test]
async fn an_answer_that_comes_while_the_engine_stops_is_kept_though_the_store_refuses_at_first() {
    let (server, store) = (Slow::new().await, Fickle::over(Arc::new(Memory::default())));
    let house = House::build(Plan { store: store.clone(), ..Plan::default() }).await;
    house.deploy(TWO).await;
    house.submit("two", "one", json!({"server": server.url})).await;
    server.asked(1).await;
    store.is_in(Mood::Refuses);
    let heals = async {
        server.answer(1);
        store.has_refused(2).await;
        store.is_in(Mood::Takes);
    };
    let (kept, ()) = tokio::join!(house.close(), heals);
    let house = House::build(Plan { store: kept, ..Plan::default() }).await;
    assert_eq!(names(&server.asked(2).await), ["first", "second"]);
    server.answer(1);
    house.until("/processes/two/tasks/one", |it| it["state"] == "done").await;
}

#[tokio::test]
async fn what_was_asked_once_and_not_answered_in_the_grace_is_unknown() {
    let server = Slow::new().await;
    let house = House::build(Plan { grace: Some(Span::millis(50)), ..Plan::default() }).await;
    house.deploy(TWO).await;
    house.submit("two", "one", json!({"server": server.url})).await;
    server.answer(1);
    server.asked(2).await;
    let house = House::build(Plan { store: house.close().await, ..Plan::default() }).await;
    let task = house.until("/processes/two/tasks/one", |it| it["state"] == "failed").await;
    assert_eq!(task["fault"]["code"], "outcome_unknown");
    assert_eq!(names(&server.asked_so_far()), ["first", "second"]);
}
