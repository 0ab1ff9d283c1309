//! What takes long to work out holds up nobody else, and ends.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;

use beltline::engine::apart::Apart;
use serde_json::{Value, json};

use crate::support::house::{House, Plan};

/// Works until its budget is spent, which takes a while.
fn heavy() -> String {
    let some = "range(9000)|map('string')|map('hmac', range(400)|join)|list|length";
    format!("[{}]|length", [some; 12].join(", "))
}

fn processes() -> [String; 2] {
    let light = "process: light\nnodes:\n  start: {kind: input, next: done}\n  done: {kind: end}\n";
    let expression = heavy();
    let heavy = format!(
        "process: heavy\nparams: {{n: {{type: integer}}}}\n\
         hooks:\n  door: {{public: true, params: {{n: \"= {expression}\"}}}}\n\
         nodes:\n  start: {{kind: input, next: work}}\n  \
         work: {{kind: set, set: {{n: \"= {expression}\"}}, next: done, on_error: failed}}\n  \
         done: {{kind: end}}\n  failed: {{kind: end, ok: false}}\n"
    );
    [light.to_owned(), heavy]
}

/// Who is answered first: what is heavy and was asked first, or five light tasks one after the other.
async fn first_answered(lanes: bool, heavy: impl AsyncFn(&House) -> Value) -> (Vec<&'static str>, Value) {
    let house = House::build(Plan { lanes, ..Plan::default() }).await;
    for text in processes() {
        house.deploy(&text).await;
    }
    let order = Mutex::new(Vec::new());
    let answered = |what| order.lock().unwrap().push(what);
    let long = async {
        let answer = heavy(&house).await;
        answered("heavy");
        answer
    };
    let short = async {
        for number in 0..5 {
            house.submit("light", &format!("l{number}"), json!({})).await;
            assert_eq!(house.call("GET", "/healthz").send().await.status, 200);
        }
        answered("light");
    };
    let (answer, ()) = tokio::join!(long, short);
    house.close().await;
    (order.into_inner().unwrap(), answer)
}

#[tokio::test]
async fn a_task_that_takes_long_to_decide_holds_up_no_other() {
    let submit = async |house: &House| house.submit("heavy", "h", json!({})).await;
    let (order, task) = first_answered(true, submit).await;
    assert_eq!(order, ["light", "heavy"]);
    assert_eq!(task["fault"]["code"], "budget_exceeded", "{task}");
    assert_eq!(task["fault"]["node"], "work");
    let message = task["fault"]["message"].as_str().unwrap();
    assert!(message.starts_with("`[range(9000)|map('string')"), "{message}");
    assert_eq!(
        first_answered(false, submit).await.0,
        ["heavy", "light"],
        "the control: without lanes it does"
    );
}

#[tokio::test]
async fn a_request_to_a_hook_that_takes_long_to_read_holds_up_nobody() {
    let post = async |house: &House| {
        let calls = (0..4).map(|_| house.call("POST", "/hooks/heavy/door").json(&json!({})).send());
        let answers = futures::future::join_all(calls).await;
        for answer in &answers {
            assert_eq!(answer.status, 422, "{}", answer.text);
        }
        answers[0].json()
    };
    let (order, problem) = first_answered(true, post).await;
    assert_eq!(order, ["light", "heavy"]);
    assert_eq!(problem["code"], "budget_exceeded", "{problem}");
    assert_eq!(first_answered(false, post).await.0, ["heavy", "light"], "the control: without lanes it does");
}

/// A text of a process with more nodes than a process may have.
fn large_text() -> String {
    let node = |n| format!("  n{n}: {{kind: set, set: {{a: \"= a|default({n}) + 1\"}}, next: n{}}}\n", n + 1);
    let nodes: String = (0..4000).map(node).collect();
    format!("process: large\nnodes:\n  start: {{kind: input, next: n0}}\n{nodes}  n4000: {{kind: end}}\n")
}

#[tokio::test]
async fn a_large_text_that_is_checked_holds_up_nobody() {
    let text = large_text();
    let check = async |house: &House| {
        let call = || house.api("POST", "/check").yaml(&text);
        let calls = (0..4).map(|_| call().send());
        let answers = futures::future::join_all(calls).await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        answers[0].json()
    };
    let (order, answer) = first_answered(true, check).await;
    assert_eq!(order, ["light", "heavy"]);
    assert!(answer["text"].as_str().unwrap().contains("at most 1000 nodes"), "{answer}");
    let control = first_answered(false, check).await.0;
    assert_eq!(control, ["heavy", "light"], "the control: without lanes it does");
}

/// What a client that went away had asked for is worked out to its end on the lane that it has taken: with
/// many such clients no more is worked out at a time than there are lanes.
#[tokio::test]
async fn a_lane_is_taken_until_its_work_ends_though_nobody_waits_for_it() {
    let apart = Apart::new(|| ());
    let lanes = available_parallelism().unwrap().get().div_ceil(2);
    let (tell, begun) = channel();
    let (end, ends) = channel::<()>();
    let (tell, ends) = (Arc::new(Mutex::new(tell)), Arc::new(Mutex::new(ends)));
    for _ in 0..lanes {
        let (tell, ends) = (Arc::clone(&tell), Arc::clone(&ends));
        let long = apart.request(true, move || {
            tell.lock().unwrap().send(()).unwrap();
            ends.lock().unwrap().recv().is_ok()
        });
        let mut left = Box::pin(long);
        assert!(futures::poll!(&mut left).is_pending());
        drop(left);
    }
    (0..lanes).for_each(|_| begun.recv().unwrap());
    let order = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&order);
    let mut next = Box::pin(apart.request(true, move || own.lock().unwrap().push("worked out")));
    assert!(futures::poll!(&mut next).is_pending());
    order.lock().unwrap().push("the first has ended");
    (0..lanes).for_each(|_| end.send(()).unwrap());
    next.await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["the first has ended", "worked out"]);
}
