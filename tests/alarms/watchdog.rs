//! The watchdog: a value that is about to die is told of, whatever its task does.

use beltline::model::time::Span;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::alarms::scene::{AUTHOR, DUTY, Scene};

/// Tasks that hold a value, and do this with it.
fn text(id: &str, node: &str) -> String {
    format!(
        "process: {id}
params:
  token: {{secret: true, expiry: {{at: end, issued: born, warn_at: wake}}}}
  end: {{}}
  born: {{}}
  wake: {{}}
  server: {{}}
nodes:
  start: {{kind: input, next: hold}}
  hold: {{{node}, next: tell}}
  tell: {{kind: escalation, message: it says so itself, notify: [duty], wait: {{}}, next: hold}}
"
    )
}

const RESTS: &str = "kind: delay, for: 30d";

/// A value that lives an hour from now on.
fn value(scene: &Scene) -> Value {
    let now = scene.house.service.now().seconds();
    json!({"token": "s3cr3t-value", "born": now, "end": now + 3_600, "wake": now + 3_000})
}

async fn status(scene: &Scene, good: impl Fn(&Value) -> bool) -> Value {
    scene.until("/status", |it| good(&it["watchdog"])).await["watchdog"].clone()
}

/// So much later, and the watchdog has looked since.
async fn later(scene: &Scene, span: Span) {
    scene.clock.later(span);
    let now = scene.house.service.now().to_string();
    status(scene, |it| it["looked_at"].as_str().is_some_and(|at| *at >= *now)).await;
}

/// The values that live an hour from now on are near their end, and nobody has renewed them.
async fn near_the_end(scene: &Scene) {
    later(scene, Span::secs(3_001)).await;
    later(scene, Span::secs(31)).await;
}

/// One value is open, and somebody was told of it.
async fn is_told(scene: &Scene) -> Value {
    status(scene, |it| it["open"] == 1 && it["values"][0]["notified_at"].is_string()).await["values"][0]
        .clone()
}

#[tokio::test]
async fn a_value_that_nobody_renews_is_told_of_once_reminded_of_and_resolved() {
    let scene = Scene::open().await;
    scene.house.deploy(&text("kept", RESTS)).await;
    scene.house.submit("kept", "a", value(&scene)).await;
    later(&scene, Span::mins(49)).await;
    later(&scene, Span::secs(61)).await;
    assert_eq!(status(&scene, |_| true).await["open"], 0);
    later(&scene, Span::secs(31)).await;
    let seen = is_told(&scene).await;
    assert!(seen["waits_for"].as_str().unwrap().contains("stands on `hold`"), "{seen}");
    let told = scene.told(DUTY);
    assert_eq!(told.len(), 1, "{told:#?}");
    for says in
        ["\"token\" of kept/a has not been renewed", "It dies at", "rests until", "`beltline wake kept a`"]
    {
        assert!(told[0].contains(says), "{}", told[0]);
    }
    assert!(!told[0].contains("s3cr3t") && scene.told(AUTHOR).is_empty());
    // Neither time nor a restart tells it again, but for the reminder.
    later(&scene, Span::hours(3)).await;
    let scene = scene.reopened().await;
    later(&scene, Span::hours(2)).await;
    assert_eq!(
        (is_told(&scene).await["expires_at"].clone(), scene.told(DUTY).len()),
        (seen["expires_at"].clone(), 1)
    );
    later(&scene, Span::mins(61)).await;
    let first = seen["notified_at"].clone();
    status(&scene, |it| {
        it["values"][0]["notified_at"].is_string() && it["values"][0]["notified_at"] != first
    })
    .await;
    assert_eq!(scene.told(DUTY).len(), 2);
    assert!(scene.told(DUTY)[1].contains("It is dead since"), "{:#?}", scene.told(DUTY));
    let changed =
        scene.house.api("POST", "/processes/kept/tasks/a/modify").json(&json!({"params": value(&scene)}));
    changed.send().await.ok(200);
    status(&scene, |it| it["open"] == 0).await;
    let relief = || scene.told(DUTY).iter().any(|it| it.contains("Resolved: \"token\" of kept/a is renewed"));
    while !relief() {
        tokio::task::yield_now().await;
    }
    later(&scene, Span::mins(10)).await;
    assert_eq!(scene.told(DUTY).len(), 3);
}

#[tokio::test]
async fn it_is_told_whatever_keeps_the_task_and_what_that_is() {
    let scene = Scene::open().await;
    // Nobody ever answers there.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap());
    for (id, node, says) in [
        ("waits", "kind: wait", "waits for a signal or a person"),
        ("asks", "kind: http, url: '{{{server}}}', timeout: 10m", "asks, and has no answer yet"),
        ("paused", RESTS, "its process is paused"),
    ] {
        scene.house.deploy(&text(id, node)).await;
        for reference in ["a", "b"] {
            let mut params = value(&scene);
            params["server"] = json!(server);
            scene.house.submit(id, reference, params).await;
        }
        if id == "paused" {
            scene.house.api("POST", "/processes/paused/pause").send().await.ok(200);
        }
        let before = scene.told(DUTY).len();
        near_the_end(&scene).await;
        let dog = status(&scene, |it| {
            let values = it["values"].as_array().unwrap();
            values.iter().filter(|it| it["process"] == id && it["notified_at"].is_string()).count() == 2
        })
        .await;
        assert!(scene.told(DUTY).len() > before, "{id}");
        let seen = dog["values"].to_string();
        assert!(seen.contains(says), "{id}: {seen}");
    }
}

#[tokio::test]
async fn where_the_process_tells_it_itself_nobody_is_told_twice() {
    let scene = Scene::open().await;
    scene.house.deploy(&text("kept", "kind: delay, until: \"{{wake}}\"")).await;
    scene.house.submit("kept", "a", value(&scene)).await;
    later(&scene, Span::mins(50)).await;
    scene.until("/processes/kept/tasks/a", |it| it["alarm"]["notified_at"].is_string()).await;
    later(&scene, Span::mins(5)).await;
    later(&scene, Span::mins(5)).await;
    assert_eq!(status(&scene, |_| true).await["open"], 0);
    assert_eq!(scene.told(DUTY), ["it says so itself"]);
}

#[tokio::test]
async fn with_nobody_to_tell_it_is_where_people_look_and_told_later() {
    let scene = Scene::open().await;
    scene.fail(json!("blocked")).await;
    scene.house.deploy(&text("kept", RESTS)).await;
    scene.house.submit("kept", "a", value(&scene)).await;
    near_the_end(&scene).await;
    let dog = status(&scene, |it| it["values"][0]["problem"].is_string()).await;
    assert_eq!((dog["open"].clone(), dog["values"][0]["notified_at"].clone()), (json!(1), Value::Null));
    scene.fail(Value::Null).await;
    later(&scene, Span::mins(6)).await;
    is_told(&scene).await;
    assert_eq!(scene.told(DUTY).iter().filter(|it| it.contains("has not been renewed")).count(), 1);
}

#[tokio::test]
async fn a_task_that_ended_is_no_matter_any_more() {
    let scene = Scene::open().await;
    scene.house.deploy(&text("kept", RESTS)).await;
    scene.house.submit("kept", "a", value(&scene)).await;
    near_the_end(&scene).await;
    is_told(&scene).await;
    scene.house.api("POST", "/processes/kept/tasks/a/cancel").send().await.ok(200);
    later(&scene, Span::mins(1)).await;
    status(&scene, |it| it["open"] == 0).await;
    assert_eq!(scene.told(DUTY).len(), 1, "and nobody is told that it is over");
}
