//! Submitting tasks and looking at them.

use serde_json::json;

use crate::support::house::{House, task_path};

pub(super) const HOLD: &str = r#"
process: hold
title: A task that waits
params:
  city: {type: string, required: true, about: Where, example: Riga}
  count: {type: integer, default: 1}
  key: {type: string, secret: true}
limits: {tasks: 5}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, title: Resting, link: true, accept: {approved: {}}, next: judge}
  judge: {kind: condition, branches: [{when: "approved == 'no'", next: bad}], else: good}
  good: {kind: end, result: {city: "{{city}}", seen: '{{key ?? ""}}'}}
  bad: {kind: end, ok: false}
"#;

#[tokio::test]
async fn a_task_is_taken_in_and_can_be_looked_at() {
    let house = House::open().await;
    let report = house.deploy(HOLD).await;
    assert_eq!((report["created"].as_bool(), report["changed"].as_bool()), (Some(true), Some(true)));
    let body = json!({"ref": "one", "params": {"city": "Riga", "key": "s3cret-value"}});
    let answer = house.api("POST", "/processes/hold/tasks").json(&body).send().await;
    let task = answer.ok(201);
    assert_eq!(answer.header("location"), "/api/v1/processes/hold/tasks/one");
    assert_eq!(answer.header("etag"), format!("\"{}\"", task["revision"]));
    assert_eq!(task["state"], "waiting");
    assert_eq!(task["node"], "rest");
    assert_eq!(task["title"], "Resting");
    assert_eq!(task["params"], json!({"city": "Riga", "key": "***", "count": 1}));
    assert_eq!(house.api("GET", &task_path("hold", "one")).send().await.ok(200), task);
    let list = house.api("GET", "/processes/hold/tasks").send().await.ok(200);
    assert_eq!(list, json!({"items": [task], "next": null}));
    let trail = house.api("GET", "/processes/hold/tasks/one/trail").send().await.ok(200);
    assert_eq!(trail["items"][0]["node"], "start");
    assert_eq!(trail["items"][0]["to"], "rest");
}
