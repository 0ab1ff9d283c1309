//! The page of a task: what it waits for and for whom, who called it, and its history as a timeline.

use serde_json::json;

use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, task_path};

/// Calls `part` for three items, then `part` once more by itself.
pub(crate) const ROUNDS: &str = r#"process: rounds
title: Rounds of calls
nodes:
  start: {kind: input, next: all}
  all:
    kind: each
    title: Ask for each
    items: [a, b, c]
    process: part
    params: {name: "{{item}}"}
    next: last
  last: {kind: call, title: Ask once more, process: part, next: done}
  done: {kind: end}
"#;

pub(crate) const PART: &str = "process: part
title: One part
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, title: Holds until somebody writes, next: say}
  say: {kind: reply, values: {said: true}, next: done}
  done: {kind: end}
";

/// Asks where nobody answers, and goes another way.
pub(crate) const DEAF: &str = r#"process: deaf
title: Asks a deaf one
nodes:
  start: {kind: input, next: keep}
  keep:
    kind: set
    title: Keep a long story
    set: {story: "{{long}}", short: "just so"}
    unset: [long]
    next: ask
  ask:
    kind: http
    title: Ask the deaf one
    url: "http://127.0.0.1:1/story"
    retry: {times: 1}
    next: done
    on_error: rest
  rest: {kind: delay, title: Rest after that, for: 1d, next: done}
  done: {kind: end}
"#;

#[tokio::test]
async fn who_waits_for_calls_leads_to_them_and_they_lead_back() {
    let house = House::open().await;
    house.deploy(PART).await;
    house.deploy(ROUNDS).await;
    house.submit("rounds", "one", json!({})).await;
    let task = house.until(&task_path("rounds", "one"), |it| it["state"] == "waiting").await;
    let children =
        house.until("/processes/part/tasks", |it| it["items"].as_array().unwrap().len() == 3).await;
    let visitor = Visitor::operator(&house).await;
    let page = visitor.page("/dashboard/p/rounds/task?ref=one").await;
    assert!(page.contains("The calls it makes, at their end: 0 of 3"), "{page}");
    let refs: Vec<&str> =
        children["items"].as_array().unwrap().iter().map(|it| it["ref"].as_str().unwrap()).collect();
    for name in &refs {
        assert!(page.contains(&format!("<bdi>{name}</bdi>")), "{name}: {page}");
        let child = visitor.page(&format!("/dashboard/p/part/task?ref={name}")).await;
        let back = format!("task?ref=one&#38;id={}", task["id"].as_str().unwrap());
        assert!(child.contains("Called by") && child.contains(&back), "{child}");
    }
    for name in &refs {
        house
            .api("POST", &format!("{}/modify", task_path("part", name)))
            .json(&json!({"params": {}}))
            .send()
            .await
            .ok(200);
    }
    house.until(&task_path("rounds", "one"), |it| it["node"] == "last").await;
    let fourth = house.until("/processes/part/tasks", |it| it["items"].as_array().unwrap().len() == 4).await;
    let fourth = fourth["items"][3]["ref"].as_str().unwrap().to_owned();
    let page = visitor.page("/dashboard/p/rounds/task?ref=one").await;
    assert!(page.contains("The reply of part") && page.contains("Called tasks"), "{page}");
    let waits = page.split("<dt>Waits for</dt>").nth(1).unwrap().split("</div>").next().unwrap();
    assert!(waits.contains(&format!("<bdi>{fourth}</bdi>")) && !waits.contains(refs[0]), "{waits}");
    // Who may not see the other process is not told of it.
    house.user("ann", None, json!({"part": "viewer"})).await;
    let ann = Visitor::user(&house, "ann", crate::support::house::PASSWORD).await;
    let child = ann.page(&format!("/dashboard/p/part/task?ref={fourth}")).await;
    assert!(!child.contains("Called by") && !child.contains("rounds"), "{child}");
}

#[tokio::test]
async fn a_history_tells_what_was_asked_what_came_and_what_changed() {
    let house = House::open().await;
    house.deploy(DEAF).await;
    let story = format!("Once upon a time {}", "and again ".repeat(30));
    house.submit("deaf", "one", json!({"long": story})).await;
    house.until(&task_path("deaf", "one"), |it| it["node"] == "rest").await;
    let visitor = Visitor::operator(&house).await;
    let page = visitor.page("/dashboard/p/deaf/task?ref=one").await;
    let history = page.split("<ol class=\"history\">").nth(1).unwrap().split("</ol>").next().unwrap();
    for words in [
        "<strong>Ask the deaf one</strong> <span class=\"dim mono\">ask</span>",
        "<span>no answer</span> <span class=\"dim\">after ",
        "→ <strong>Rest after that</strong>",
        "GET http://127.0.0.1:1/story",
        "<a href=\"/dashboard/faults/http_connect\"><code>http_connect</code></a>",
        "<details><summary><b>story</b></summary><pre class=\"value\">Once upon a time",
        "<b>short</b> = <code>just so</code>",
        "<b>removed:</b> long",
        "<span>came here</span>",
    ] {
        assert!(history.contains(words), "{words}: {history}");
    }
    for way in [
        "edge plain been\" data-from=\"keep\" data-to=\"ask\"",
        "edge error been\" data-from=\"ask\" data-to=\"rest\"",
    ] {
        assert!(page.contains(way), "{way}: {page}");
    }
    assert!(!page.contains("been\" data-from=\"rest\""), "it has not gone there");
    let fault = visitor.page("/dashboard/faults/http_connect").await;
    assert!(fault.contains("The other side cannot be reached.") && fault.contains("What to do"), "{fault}");
    assert_eq!(visitor.get("/dashboard/faults/no_such_fault").await.status, 404);
    visitor.done("/dashboard/p/deaf/task/wake", &[("ref", "one")]).await;
    let page = visitor.page("/dashboard/p/deaf/task?ref=one").await;
    assert!(page.contains("woken by: local"), "{page}");
}

#[tokio::test]
async fn what_waits_for_room_says_where() {
    let house = House::open().await;
    // Nothing but the first request finds room within a day.
    let text = DEAF.replace("retry: {times: 1}", "rate: 1/1d\n    retry: {times: 1}");
    house.deploy(&text).await;
    for name in ["one", "two"] {
        house.submit("deaf", name, json!({"long": ""})).await;
    }
    let waits =
        |it: &serde_json::Value| it["items"].as_array().unwrap().iter().any(|it| it["waits_for"].is_string());
    let tasks = house.until("/processes/deaf/tasks", waits).await;
    let waiting = tasks["items"].as_array().unwrap().iter().find(|it| it["waits_for"].is_string()).unwrap();
    let path = format!("/dashboard/p/deaf/task?ref={}", waiting["ref"].as_str().unwrap());
    let page = Visitor::operator(&house).await.page(&path).await;
    assert!(page.contains("<dt>Waits for</dt><dd>Room at node `deaf/ask`. As much is asked there"), "{page}");
    assert!(page.contains("<dt>Next</dt><dd>Goes on by itself at <time"), "{page}");
    assert!(page.contains("<span>waits for room at node `deaf/ask`</span> until <time"), "{page}");
}
