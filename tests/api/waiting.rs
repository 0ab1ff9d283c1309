//! What is held in memory for those who wait for a task: nothing, when nobody does.

use beltline::model::names::{Address, ProcessId, Ref};
use beltline::model::time::Span;
use beltline::service::actor::Actor;
use beltline::service::lease::Wish;
use beltline::service::submit::Submission;
use futures::future::join_all;
use serde_json::json;

use crate::api::tasks::HOLD;
use crate::support::house::{House, task_path};
use crate::support::issuer::{Issuer, KEEPER};

/// Tasks that send a large signal each to one of a few.
const SENDER: &str = r#"
process: sender
params: {text: {type: string}, to: {type: string}}
nodes:
  start: {kind: input, next: tell}
  tell: {kind: send, process: taker, ref: "{{to}}", params: {text: "{{text}}"}, mode: modify, next: done}
  done: {kind: end}
"#;
const TAKER: &str = r"
process: taker
params: {text: {type: string}}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, next: rest}
";
const TAKERS: usize = 4;
const SIGNALS: usize = 200;

/// Polls once, so that it has begun to wait, and then drops it.
async fn begun_and_left<T>(house: &House, wait: impl Future<Output = T>) {
    let mut wait = Box::pin(wait);
    while house.service.waiting() == 0 {
        assert!(futures::poll!(&mut wait).is_pending());
        tokio::task::yield_now().await;
    }
    drop(wait);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_remembered_of_signals_nobody_waits_for() {
    let house = House::open().await;
    house.deploy(TAKER).await;
    house.deploy(SENDER).await;
    for n in 0..TAKERS {
        house.submit("taker", &format!("t{n}"), json!({})).await;
    }
    let text = "x".repeat(60_000);
    let sent = (0..SIGNALS).map(|n| {
        let params = json!({"text": text, "to": format!("t{}", n % TAKERS)});
        let body = json!({"ref": format!("s{n}"), "params": params});
        house.api("POST", "/processes/sender/tasks?wait=30s").json(&body).send()
    });
    for answer in join_all(sent).await {
        assert_eq!(answer.ok(201)["state"], "done");
    }
    for n in 0..TAKERS {
        // Signals are read in their order: this is the last.
        let path = format!("/processes/taker/tasks/t{n}/modify");
        house.api("POST", &path).json(&json!({"params": {"text": "last"}})).send().await.ok(200);
    }
    assert_eq!(house.service.waiting(), 0, "tasks are remembered that nobody asks for");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_answered_when_they_are_read_and_then_nothing_is_held() {
    let house = House::open().await;
    house.deploy(TAKER).await;
    house.submit("taker", "t0", json!({})).await;
    let orders = (0..SIGNALS).map(|n| {
        let body = json!({"params": {"text": format!("signal {n}")}});
        house.api("POST", "/processes/taker/tasks/t0/modify").json(&body).send()
    });
    for answer in join_all(orders).await {
        // Who was not read within two seconds is told that the order is kept.
        assert!([200, 202].contains(&answer.status), "{}", answer.text);
    }
    assert_eq!(house.service.waiting(), 0);
}

#[tokio::test]
async fn who_leaves_is_not_waited_for_any_more() {
    let (house, issuer) = (House::open().await, Issuer::new(&[(3_000, 600), (0, 3_600)]).await);
    house.deploy(HOLD).await;
    house.deploy(KEEPER).await;
    let by = Actor::local("test");
    let hold = ProcessId::new("hold").unwrap();
    let params = serde_json::from_value(json!({"city": "Riga"})).unwrap();
    let submission = Submission { params, wait: Some(Span::mins(5)), ..Submission::default() };
    begun_and_left(&house, house.service.submit(&by, &hold, submission)).await;
    assert_eq!(house.service.waiting(), 0, "for an end");

    house.submit("keeper", "t", issuer.params()).await;
    house.until(&task_path("keeper", "t"), |it| it["node"] == "nap").await;
    issuer.close();
    house.api("POST", &format!("{}/wake", task_path("keeper", "t"))).send().await;
    house.until(&task_path("keeper", "t"), |it| it["state"] == "doing").await;
    let address = Address { process: ProcessId::new("keeper").unwrap(), reference: Ref::new("t").unwrap() };
    let wish = Wish { param: "token".to_owned(), fresh_for: Span::mins(20), wait: None };
    begun_and_left(&house, house.service.lease(&by, &address, &wish)).await;
    assert_eq!(house.service.waiting(), 0, "for a move");
    issuer.open();
}

#[tokio::test]
async fn who_waits_for_long_is_answered_when_the_engine_stops() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let by = Actor::local("test");
    let hold = ProcessId::new("hold").unwrap();
    let params = serde_json::from_value(json!({"city": "Riga"})).unwrap();
    let submission = Submission { params, wait: Some(Span::mins(5)), ..Submission::default() };
    let mut submit = Box::pin(house.service.submit(&by, &hold, submission));
    while house.service.waiting() == 0 {
        assert!(futures::poll!(&mut submit).is_pending());
        tokio::task::yield_now().await;
    }
    house.service.stopping();
    let submitted = submit.await.unwrap();
    assert_eq!((submitted.created, submitted.task.state), (true, "waiting"));
}
