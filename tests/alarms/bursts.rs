//! Thousands of tasks that fail alike are a handful of messages, and none of them is lost.

use beltline::engine::ports::TaskQuery;
use beltline::model::names::ProcessId;
use beltline::model::task::Task;
use beltline::model::time::Span;
use beltline::outbound::batcher::Grouping;
use serde_json::json;

use crate::alarms::scene::{AUTHOR, DUTY, Scene};

/// How many tasks fail.
const BURST: usize = 10_000;
/// A handful of messages, for each of the two bursts.
const HANDFUL: usize = 12;

const FLOOD: &str = r#"
process: flood
nodes:
  start: {kind: input, next: read}
  read: {kind: set, set: {value: "{{no_such_param}}"}, on_error: tell, next: nap}
  tell: {kind: escalation, message: "{{task.ref}}: {{fault.code}}", notify: [author], next: nap}
  nap: {kind: delay, for: 1d, next: healed}
  healed: {kind: notify, resolves: true, message: "{{task.ref}} is well", notify: [author], next: done}
  done: {kind: end}
"#;

/// Windows that a slow machine fills.
fn quick() -> Grouping {
    Grouping::new(Span::secs(2), Span::secs(15))
}

async fn submit(scene: &Scene, process: &str, many: usize) {
    let line = |at: usize| format!("{}\n", json!({"ref": format!("t{at}"), "params": {}}));
    let lines: String = (0..many).map(line).collect();
    let call = scene.house.api("POST", &format!("/processes/{process}/tasks"));
    let answer = call.body("application/x-ndjson", lines).send().await;
    assert_eq!(answer.text.lines().count(), many);
}

/// Returns when so many tasks of the process stand on that node.
async fn stand(scene: &Scene, process: &str, node: &str, many: usize) {
    let mut commits = scene.house.service.commits();
    let wait = async {
        loop {
            commits.mark_unchanged();
            let counts = scene.house.store.counts(None).await.unwrap();
            let here = counts.iter().filter(|it| it.process.as_str() == process && it.node.as_str() == node);
            if here.map(|it| it.tasks).sum::<u64>() == many as u64 {
                return;
            }
            commits.changed().await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(280), wait).await.expect("some never came there");
}

async fn tasks(scene: &Scene, process: &str) -> Vec<Task> {
    let query = TaskQuery { process: ProcessId::new(process).ok(), limit: BURST * 2, ..TaskQuery::default() };
    scene.house.store.tasks(&query).await.unwrap()
}

/// How many tasks these messages tell of.
fn told_of(messages: &[String]) -> usize {
    let count = |it: &String| it.split_once(" more tasks of ").map_or(1, |(many, _)| many.parse().unwrap());
    messages.iter().map(count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_alarms_are_a_handful_of_messages_and_so_is_their_end() {
    let scene = Scene::gathering(quick()).await;
    scene.house.deploy(FLOOD).await;
    submit(&scene, "flood", BURST).await;
    stand(&scene, "flood", "nap", BURST).await;
    let told = scene.told(AUTHOR);
    assert!(told.len() <= HANDFUL, "{} messages: {told:#?}", told.len());
    assert_eq!(told_of(&told), BURST, "{told:#?}");
    assert!(told[0].ends_with(": missing_param"), "the first goes out at once, and by itself: {}", told[0]);
    let grouping = told.iter().max_by_key(|it| it.len()).unwrap();
    for part in ["more tasks of flood stand at tell: missing_param", "no_such_param", "/dashboard/p/flood"] {
        assert!(grouping.contains(part), "{part}: {grouping}");
    }
    for task in tasks(&scene, "flood").await {
        let alarm = task.alarm.unwrap();
        assert!(
            alarm.notified_at.is_some() && alarm.by == ["author"],
            "{}: {:?}",
            task.reference,
            alarm.problem
        );
    }
    scene.clock.later(Span::days(2));
    stand(&scene, "flood", "done", BURST).await;
    let over = scene.told(AUTHOR).split_off(told.len());
    assert!(over.len() <= HANDFUL, "{} messages: {over:#?}", over.len());
    assert_eq!(told_of(&over), BURST, "{over:#?}");
    assert!(over.iter().any(|it| it.contains("more tasks of flood are well again")), "{over:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_burst_hides_no_other_alarm() {
    let scene = Scene::gathering(Grouping::new(Span::secs(50), Grouping::MOST)).await;
    scene.house.deploy(FLOOD).await;
    scene.house.deploy(&FLOOD.replace("process: flood", "process: other")).await;
    let duty = FLOOD.replace("process: flood", "process: third").replace("[author]", "[duty]");
    scene.house.deploy(&duty).await;
    // The window stays open for as long as the test lasts: what comes through was not held.
    submit(&scene, "flood", 50).await;
    for process in ["other", "third"] {
        submit(&scene, process, 1).await;
        stand(&scene, process, "nap", 1).await;
    }
    let both = async {
        while scene.told(AUTHOR).len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), both).await.expect("both bursts are told");
    let told = scene.told(AUTHOR);
    assert_eq!((told.len(), scene.told(DUTY).len()), (2, 1), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_a_burst_loses_no_alarm() {
    let scene = Scene::gathering(Grouping::new(Span::secs(50), Grouping::MOST)).await;
    scene.house.deploy(FLOOD).await;
    submit(&scene, "flood", 300).await;
    stand(&scene, "flood", "nap", 1).await;
    assert_eq!(scene.told(AUTHOR).len(), 1, "the others are held");
    // The leases of those that were held are over then.
    let scene = scene.crashed(Span::mins(5), quick()).await;
    stand(&scene, "flood", "nap", 300).await;
    let told = scene.told(AUTHOR);
    assert_eq!(told_of(&told), 300, "{told:#?}");
    assert!(tasks(&scene, "flood").await.iter().all(|it| it.alarm.as_ref().unwrap().notified_at.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_that_reaches_no_one_stays_open_and_is_told_when_somebody_can_be() {
    let scene = Scene::gathering(quick()).await;
    let waiting = FLOOD.replace("[author], next: nap", "[author], retry: {times: 1}, wait: {}, next: nap");
    scene.house.deploy(&waiting).await;
    scene.fail(json!("blocked")).await;
    submit(&scene, "flood", 200).await;
    let undelivered = |many: u64| move |it: &serde_json::Value| it["alarms"]["undelivered"] == many;
    let status = scene.until("/status", undelivered(200)).await;
    assert_eq!(status["channels_failing"][0]["name"], "author", "{status}");
    scene.fail(json!(null)).await;
    scene.clock.later(Span::mins(6));
    scene.until("/status", undelivered(0)).await;
    assert_eq!(told_of(&scene.told(AUTHOR)), 200);
    assert_eq!(scene.health("author").await["failing"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_goes_out_at_once_when_the_engine_stops() {
    // The windows stay open for longer than the test has.
    let scene = Scene::gathering(Grouping::new(Span::secs(50), Grouping::MOST)).await;
    scene.house.deploy(FLOOD).await;
    submit(&scene, "flood", 40).await;
    stand(&scene, "flood", "nap", 1).await;
    assert_eq!(scene.told(AUTHOR).len(), 1, "the others are held");
    let scene = tokio::time::timeout(std::time::Duration::from_secs(30), scene.reopened()).await;
    let scene = scene.expect("a stop sits out the window");
    assert_eq!(told_of(&scene.told(AUTHOR)), 40, "{:#?}", scene.told(AUTHOR));
    for task in tasks(&scene, "flood").await {
        let alarm = task.alarm.unwrap();
        assert!(alarm.notified_at.is_some(), "{}: {:?}", task.reference, alarm.problem);
    }
}
