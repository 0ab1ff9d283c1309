//! `/readyz` tells the truth, and everything else that tells how it goes says the same.

use std::sync::Arc;

use beltline::store::memory::Memory;
use serde_json::json;

use crate::api::tasks::HOLD;
use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, Plan};
use crate::support::refusing::{How, Refusing};

async fn refusing() -> (House, Arc<Refusing>) {
    let store = Refusing::new(Arc::new(Memory::default()));
    (House::build(Plan { store: Arc::<Refusing>::clone(&store), ..Plan::default() }).await, store)
}

#[tokio::test]
async fn a_store_that_takes_no_writes_is_not_ready_and_says_why() {
    let (house, store) = refusing().await;
    house.deploy(HOLD).await;
    assert_eq!(house.call("GET", "/readyz").send().await.status, 200);
    store.refuse(0..usize::MAX, How::Full);
    let problem = house.call("GET", "/readyz").send().await.problem(503, "store_out_of_reach");
    assert!(problem["detail"].as_str().unwrap().contains("the disk is full"), "{problem}");
    assert_eq!(house.call("GET", "/healthz").send().await.status, 200, "it lives");
    let status = house.api("GET", "/status").send().await.ok(200);
    assert_eq!((&status["ready"], &status["store"]["ok"]), (&json!(false), &json!(false)), "{status}");
    assert_eq!((&status["store"]["writable"], &status["runner"]["ok"]), (&json!(false), &json!(true)));
    assert_eq!(status["processes"]["deployed"], 1, "what can be read is shown");
    store.heal();
    assert_eq!(house.call("GET", "/readyz").send().await.status, 200);
    assert_eq!(house.api("GET", "/status").send().await.ok(200)["ready"], true);
}

#[tokio::test]
async fn a_store_that_answers_nothing_is_not_ready() {
    let (house, store) = refusing().await;
    store.refuse(0..usize::MAX, How::Silent);
    let problem = house.call("GET", "/readyz").send().await.problem(503, "store_out_of_reach");
    assert!(problem["detail"].as_str().unwrap().contains("no write was taken for 2s"), "{problem}");
}

#[tokio::test]
async fn a_runner_that_is_gone_is_not_ready_and_says_so() {
    let mut house = House::open().await;
    house.lose_runner().await;
    let problem = house.call("GET", "/readyz").send().await.problem(503, "runner_stuck");
    assert!(problem["detail"].as_str().unwrap().contains("the runner has ended"), "{problem}");
    assert_eq!(house.call("GET", "/healthz").send().await.status, 200);
    let status = house.api("GET", "/status").send().await.ok(200);
    assert_eq!((&status["ready"], &status["store"]["ok"]), (&json!(false), &json!(true)), "{status}");
    assert!(status["runner"]["detail"].as_str().unwrap().contains("start the engine anew"), "{status}");
}

#[tokio::test]
async fn the_first_page_says_what_is_not_ready() {
    let (mut house, store) = refusing().await;
    let visitor = Visitor::operator(&house).await;
    store.refuse(0..usize::MAX, How::Full);
    let page = visitor.get("/dashboard").await.text;
    assert!(page.contains("The store takes no writes"), "{page}");
    store.heal();
    assert!(!visitor.get("/dashboard").await.text.contains("The store takes no writes"));
    house.lose_runner().await;
    assert!(visitor.get("/dashboard").await.text.contains("The runner does not answer"));
}
