//! What becomes of times at which nobody was there, or the task before still lived.

use beltline::model::time::Span;
use serde_json::json;

use crate::schedule::hands::Town;

/// Tasks stay until a signal.
const HOLD: &str = "nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, accept: {go: {required: true}}, next: done}
  done: {kind: end}
";

/// Tasks end at once.
const PASS: &str = "nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";

fn process(schedule: &str, nodes: &str) -> String {
    format!("process: work\nschedule:\n{schedule}\n{nodes}")
}

async fn end(town: &Town, reference: &str) {
    let path = format!("/processes/work/tasks/{}/modify", reference.replace('+', "%2B"));
    let done = town.house.api("POST", &path).json(&json!({"params": {"go": 1}})).send().await;
    assert!(done.status < 300, "{}", done.text);
}

#[tokio::test]
async fn after_a_downtime_each_policy_makes_up_for_what_it_says() {
    let town = Town::at("2026-11-21T12:00:00Z").await;
    let three = "  - {name: none, every: 1h, missed: none}\n  - {name: latest, every: 1h}\n  \
                 - {name: all, every: 1h, missed: all, window: 3h}";
    town.house.deploy(&process(three, PASS)).await;
    town.looked_at("work").await;
    town.set("2026-11-21T13:00:00Z");
    town.refs("work", 3).await;
    let town = town.down(Span::mins(270)).await;
    let mut refs = town.refs("work", 7).await.split_off(3);
    refs.sort();
    let of = |name: &str, hour: u32| format!("{name}-2026-11-21T{hour}:00+00:00");
    assert_eq!(refs, [of("all", 15), of("all", 16), of("all", 17), of("latest", 17)]);
    let left = town.schedule("work", 0, |it| it["left_out"].is_object()).await["left_out"].take();
    assert_eq!((&left["many"], &left["why"]), (&json!(4), &json!("nobody was there")));
    let audit = town.house.api("GET", "/audit").send().await;
    if audit.status == 200 {
        assert!(audit.text.contains("schedule.left_out"), "{}", audit.text);
    }
    // On the next hour all go on as planned, also after one more short absence.
    let town = town.down(Span::secs(1)).await;
    town.looked_at("work").await;
    town.set("2026-11-21T18:00:00Z");
    let mut refs = town.refs("work", 10).await.split_off(7);
    refs.sort();
    assert_eq!(refs, [of("all", 18), of("latest", 18), of("none", 18)]);
}

#[tokio::test]
async fn a_time_at_which_the_task_before_lives_is_left_out_or_waits_or_not() {
    let town = Town::at("2026-11-21T12:00:00Z").await;
    let three = "  - {name: skip, every: 1h}\n  - {name: queue, every: 1h, overlap: queue}\n  \
                 - {name: all, every: 1h, overlap: all}";
    town.house.deploy(&process(three, HOLD)).await;
    town.looked_at("work").await;
    let of = |name: &str, hour: u32| format!("{name}-2026-11-21T{hour}:00+00:00");
    town.set("2026-11-21T13:00:00Z");
    town.refs("work", 3).await;
    for hour in [14, 15] {
        town.set(&format!("2026-11-21T{hour}:00:00Z"));
        town.schedule("work", 1, |it| it["queued"] == hour - 13).await;
    }
    let mut refs = town.refs("work", 5).await.split_off(3);
    refs.sort();
    assert_eq!(refs, [of("all", 14), of("all", 15)]);
    let left = town.schedule("work", 0, |it| it["left_out"]["many"] == 2).await;
    assert_eq!(left["left_out"]["planned"], "2026-11-21T15:00+00:00");
    assert_eq!(left["left_out"]["why"], "the task before still lives");
    // The queue lives through a restart, and goes on one by one.
    let town = town.down(Span::secs(5)).await;
    town.schedule("work", 1, |it| it["queued"] == 2).await;
    end(&town, &of("queue", 13)).await;
    assert_eq!(town.refs("work", 6).await[5], of("queue", 14));
    end(&town, &of("queue", 14)).await;
    assert_eq!(town.refs("work", 7).await[6], of("queue", 15));
    town.schedule("work", 1, |it| it["queued"] == 0).await;
    // When the task before has ended, the next time counts again.
    end(&town, &of("skip", 13)).await;
    town.set("2026-11-21T16:00:00Z");
    let skip = town.schedule("work", 0, |it| it["left_out"].is_null()).await;
    assert_eq!(skip["last"]["ref"], of("skip", 16));
}

#[tokio::test]
async fn a_name_of_its_own_is_one_task_at_a_time() {
    let town = Town::at("2026-11-21T12:00:00Z").await;
    let two = "  - {name: a, every: 1h, ref: only, overlap: queue}\n  - {name: b, every: 1h, ref: only}";
    town.house.deploy(&process(two, HOLD)).await;
    town.looked_at("work").await;
    town.house.submit("work", "only", json!({})).await;
    town.set("2026-11-21T13:00:00Z");
    town.schedule("work", 0, |it| it["queued"] == 1).await;
    let left = town.schedule("work", 1, |it| it["left_out"].is_object()).await;
    assert_eq!(left["left_out"]["why"], "there is a live task `work/only`");
    end(&town, "only").await;
    town.schedule("work", 0, |it| it["queued"] == 0 && it["last"]["ref"] == "only").await;
    assert_eq!(town.refs("work", 2).await, ["only", "only"]);
}

#[tokio::test]
async fn a_time_whose_params_cannot_be_made_is_told_and_the_next_one_comes() {
    let town = Town::at("2026-11-21T12:00:00Z").await;
    town.house.deploy(&process("  - {every: 1h, params: {of: \"{{var.region}}\"}}", PASS)).await;
    town.looked_at("work").await;
    town.set("2026-11-21T13:00:00Z");
    let left = town.schedule("work", 0, |it| it["left_out"].is_object()).await;
    assert!(left["left_out"]["why"].as_str().unwrap().contains("region"), "{left}");
    let set = town.house.api("PUT", "/vars/region").json(&json!({"value": "eu"})).send().await;
    assert!(set.status < 300);
    town.set("2026-11-21T14:00:00Z");
    assert_eq!(town.refs("work", 1).await, ["1-2026-11-21T14:00+00:00"]);
}
