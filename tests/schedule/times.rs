//! Times come when they are planned, in their zone, and are told.

use beltline::engine::ports::Collection;
use beltline::model::time::Span;
use serde_json::json;

use crate::schedule::hands::{Town, items};

/// A process whose tasks end at once.
fn process(schedule: &str) -> String {
    format!(
        "process: report\nparams:\n  day: {{type: string}}\nschedule:\n{schedule}\nnodes:\n  \
         start: {{kind: input, next: done}}\n  done: {{kind: end}}\n"
    )
}

#[tokio::test]
async fn the_nights_of_spring_and_autumn_have_one_run_each() {
    for (begin, wanted) in [
        (
            "2026-03-27T12:00:00Z",
            ["2026-03-28T03:30+02:00", "2026-03-29T04:00+03:00", "2026-03-30T03:30+03:00"],
        ),
        (
            "2026-10-23T12:00:00Z",
            ["2026-10-24T03:30+03:00", "2026-10-25T03:30+03:00", "2026-10-26T03:30+02:00"],
        ),
    ] {
        let town = Town::at(begin).await;
        let night = r#"  - {name: night, cron: "30 3 * * *", zone: Europe/Riga, params: {day: "{{date}}"}}"#;
        town.house.deploy(&process(night)).await;
        town.looked_at("report").await;
        for many in 1..=3 {
            let next = town.schedule("report", 0, |it| it["next"][0]["at"] == wanted[many - 1]).await;
            assert_eq!(items(&json!({"items": next["next"]})).len(), 5);
            // Half an hour before nothing happens, and then it does. The repeated hour makes no second one.
            town.go(Span::mins(30));
            town.set(wanted[many - 1]);
            let refs = town.refs("report", many).await;
            assert_eq!(refs[many - 1], format!("night-{}", wanted[many - 1]));
        }
        let path = format!("/processes/report/tasks/night-{}", wanted[0].replace('+', "%2B"));
        let task = town.house.api("GET", &path).send().await.ok(200);
        assert_eq!(task["params"], json!({"day": &wanted[0][..10]}));
        let history = town.house.api("GET", &format!("{path}/history")).send().await.ok(200);
        assert_eq!(history["items"][0]["event"], "submitted by schedule night");
    }
}

#[tokio::test]
async fn a_new_version_holds_at_once() {
    let town = Town::at("2026-11-21T12:00:00Z").await;
    town.house.deploy(&process("  - {name: a, every: 1h}")).await;
    town.looked_at("report").await;
    town.go(Span::mins(60));
    town.refs("report", 1).await;
    // Told otherwise: what the new expression would have planned before now is no time that was missed.
    town.go(Span::mins(30));
    town.house.deploy(&process("  - {name: a, cron: \"15 * * * *\"}")).await;
    let next = town.schedule("report", 0, |it| it["next"][0]["at"] == "2026-11-21T14:15+00:00").await;
    assert_eq!(next["next"][0]["says"], "Sat 21 Nov 2026 14:15 UTC, in 45 min");
    town.set("2026-11-21T14:15:00Z");
    assert_eq!(town.refs("report", 2).await[1], "a-2026-11-21T14:15+00:00");
    // Removed: nothing comes any more, and nothing is kept. Another one of the same process does come.
    town.house.deploy(&process("  - {name: b, every: 10m, missed: none}")).await;
    while town.house.store.record(Collection::Schedule, "report/a").await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    town.set("2026-11-21T15:20:00Z");
    assert_eq!(town.refs("report", 3).await[2], "b-2026-11-21T15:20+00:00");
    town.house.deploy(&process("  []")).await;
    town.until("/processes/report/schedule", |it| items(it).is_empty()).await;
}

#[tokio::test]
async fn what_rests_submits_nothing() {
    let town = Town::at("2026-11-21T12:00:00Z").await;
    let two = "  - {name: a, every: 1h, missed: all}\n  - {name: b, every: 1h, missed: all}";
    town.house.deploy(&process(two)).await;
    town.looked_at("report").await;
    let paused =
        town.house.api("POST", "/processes/report/schedule/a/pause").json(&json!({})).send().await.ok(200);
    assert_eq!((&paused["paused"], &paused["next"]), (&json!(true), &json!([])));
    town.set("2026-11-21T13:00:00Z");
    assert_eq!(town.refs("report", 1).await, ["b-2026-11-21T13:00+00:00"]);
    // The whole process: a task would be taken in and not move, and a schedule submits none.
    town.house.api("POST", "/processes/report/pause").json(&json!({})).send().await.ok(200);
    town.schedule("report", 1, |it| it["paused"] == true).await;
    town.set("2026-11-21T15:30:00Z");
    town.house.api("POST", "/processes/report/resume").json(&json!({})).send().await.ok(200);
    // What the pause of the process missed is made up for; what a schedule's own pause did is not.
    let wanted = ["b-2026-11-21T13:00+00:00", "b-2026-11-21T14:00+00:00", "b-2026-11-21T15:00+00:00"];
    assert_eq!(town.refs("report", 3).await, wanted);
    let resumed =
        town.house.api("POST", "/processes/report/schedule/a/resume").json(&json!({})).send().await.ok(200);
    assert_eq!(
        (&resumed["paused"], &resumed["next"][0]["at"]),
        (&json!(false), &json!("2026-11-21T16:00+00:00"))
    );
    town.set("2026-11-21T16:00:00Z");
    let mut refs = town.refs("report", 5).await.split_off(3);
    refs.sort();
    assert_eq!(refs, ["a-2026-11-21T16:00+00:00", "b-2026-11-21T16:00+00:00"]);
    let nope = town.house.api("POST", "/processes/report/schedule/c/pause").json(&json!({})).send().await;
    assert_eq!(nope.problem(404, "no_such_schedule")["hint"], "process `report` has a, b");
    let reader = town.house.token("reader", &["read"], None).await;
    town.house.api("GET", "/processes/report/schedule").token(&reader).send().await.ok(200);
    let refused =
        town.house.api("POST", "/processes/report/schedule/a/pause").token(&reader).json(&json!({}));
    refused.send().await.problem(403, "denied");
}
