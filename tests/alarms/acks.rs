//! Acknowledging: by a link that only a person's press acts on, or by command.

use beltline::model::time::Span;
use serde_json::{Value, json};

use crate::alarms::scene::{AUTHOR, BOSS, DUTY, Scene};
use crate::support::house::task_path;

const WATCH: &str = r#"
process: watch
nodes:
  start: {kind: input, next: tell}
  tell:
    kind: escalation
    title: It is broken
    message: "broken, level {{task.level}}; in hand: {{task.ack_link}}"
    levels: [{notify: [author]}, {after: 15m, notify: [duty]}, {after: 1h, notify: [boss]}]
    wait: {}
    link: true
    next: healed
  healed: {kind: notify, resolves: true, message: well again, notify: [author], next: done}
  done: {kind: end}
"#;

fn path() -> String {
    task_path("watch", "one")
}

/// A task whose alarm has reached that level.
async fn on_level(scene: &Scene, level: u64) -> Value {
    scene.until(&path(), |task| task["state"] == "waiting" && task["alarm"]["level"] == level).await
}

async fn broken() -> Scene {
    let scene = Scene::open().await;
    scene.house.deploy(WATCH).await;
    scene.house.submit("watch", "one", json!({})).await;
    on_level(&scene, 1).await;
    scene
}

/// The path of the link in a message.
fn link(text: &str) -> String {
    let url = url::Url::parse(text.split_whitespace().last().unwrap()).unwrap();
    url.path().to_owned()
}

#[tokio::test]
async fn levels_are_climbed_over_a_restart_and_each_level_is_told_once() {
    let scene = broken().await;
    scene.clock.later(Span::mins(16));
    on_level(&scene, 2).await;
    let scene = scene.reopened().await;
    on_level(&scene, 2).await;
    scene.clock.later(Span::mins(61));
    on_level(&scene, 3).await;
    for (chat, level) in [(AUTHOR, 1), (DUTY, 2), (BOSS, 3)] {
        let told = scene.told(chat);
        assert_eq!(told.len(), 1, "{chat}: {told:?}");
        assert!(told[0].starts_with(&format!("broken, level {level}; ")), "{told:?}");
    }
    // The reminder goes to the level that was reached.
    scene.clock.later(Span::hours(7));
    scene.until(&path(), |task| task["state"] == "waiting" && scene.told(BOSS).len() == 2).await;
    assert_eq!((scene.told(AUTHOR).len(), scene.told(DUTY).len()), (1, 1));
    scene.house.api("POST", &format!("{}/wake", path())).send().await.ok(200);
    scene.until(&path(), |task| task["state"] == "done").await;
    for chat in [AUTHOR, DUTY, BOSS] {
        assert_eq!(scene.told(chat).last().unwrap(), "well again", "whoever was told hears that it is over");
    }
}

#[tokio::test]
async fn a_link_asks_first_and_then_stops_the_levels_once() {
    let scene = broken().await;
    let ack = link(&scene.told(AUTHOR)[0]);
    assert!(ack.ends_with("/ack"), "{ack}");
    scene.clock.later(Span::mins(16));
    let task = on_level(&scene, 2).await;
    let call = |method: &str, path: &str| scene.house.call(method, path).token("");
    let page = call("GET", &ack).header("accept", "text/html").send().await;
    assert_eq!(page.status, 200);
    for part in ["<form method=\"post\">", "It is broken", "Task one of", ">Acknowledge</button>"] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let seen = scene.house.api("GET", &path()).send().await.ok(200);
    assert_eq!(seen["alarm"]["acknowledged"], Value::Null, "scanners of mail follow links");
    // The two keys of a task open one door each.
    let go_on = link(task["link"].as_str().unwrap());
    call("POST", &format!("{go_on}/ack")).send().await.problem(410, "gone");
    call("POST", ack.strip_suffix("/ack").unwrap()).send().await.problem(410, "gone");
    call("POST", "/hooks/watch/nonsense/ack").send().await.problem(404, "not_found");
    let done = call("POST", &ack).header("accept", "text/html").send().await;
    assert_eq!((done.status, done.text.contains("Nobody is told more")), (200, true), "{}", done.text);
    let seen = scene.house.api("GET", &path()).send().await.ok(200);
    assert_eq!((&seen["alarm"]["acknowledged"]["by"], &seen["state"]), (&json!("link"), &json!("waiting")));
    call("POST", &ack).send().await.problem(410, "gone");
    let over = call("GET", &ack).header("accept", "text/html").send().await;
    assert_eq!((over.status, over.text.contains("This link is over")), (410, true), "{}", over.text);
    let history = scene.house.api("GET", &format!("{}/history", path())).send().await.text;
    assert!(history.contains("ack by link"), "{history}");
    // Nobody is due any more, only the person who is waited for.
    scene.clock.later(Span::hours(9));
    scene.until(&path(), |task| task["due"].is_null()).await;
    scene.house.api("POST", &format!("{}/wake", path())).send().await.ok(200);
    scene.until(&path(), |task| task["state"] == "done").await;
    let told = [AUTHOR, DUTY, BOSS].map(|chat| scene.told(chat).len());
    assert_eq!(told, [2, 2, 0], "and who was never told hears nothing");
}

#[tokio::test]
async fn an_order_acknowledges_and_says_who() {
    let scene = broken().await;
    let ann = scene.house.token("ann", &["read", "run"], None).await;
    let reader = scene.house.token("bob", &["read"], None).await;
    let key = link(&scene.told(AUTHOR)[0]).split('/').nth(3).unwrap().to_owned();
    let seen = scene.house.api("GET", &path()).token(&reader).send().await;
    assert!(seen.ok(200)["alarm"]["text"].as_str().unwrap().contains("***"), "{}", seen.text);
    assert!(!seen.text.contains(&key), "who may not run it may not acknowledge");
    let command = |token: &str| scene.house.api("POST", &format!("{}/ack", path())).token(token);
    command(&reader).send().await.problem(403, "denied");
    let task = command(&ann).send().await.ok(200);
    assert_eq!(task["alarm"]["acknowledged"]["by"], "ann");
    command(&ann).send().await.problem(409, "acknowledged");
    scene.house.submit("watch", "two", json!({})).await;
    let two = task_path("watch", "two");
    scene.until(&two, |task| task["alarm"]["notified_at"].is_string()).await;
    scene.house.api("POST", &format!("{two}/move")).json(&json!({"to": "healed"})).send().await.ok(200);
    scene.until(&two, |task| task["state"] == "done").await;
    scene.house.api("POST", &format!("{two}/ack")).send().await.problem(409, "task_ended");
}
