//! A channel that fails is marked so, since when and why, until it delivers; and canaries find it out first.

use std::collections::BTreeMap;
use std::sync::Arc;

use beltline::engine::resources::ChannelConfig;
use beltline::model::time::Span;
use beltline::sim::telegram::SUPERGROUP;
use serde_json::{Value, json};

use crate::alarms::scene::{AUTHOR, Scene};
use crate::support::house::{House, Plan};

/// How often the canary has sung to that chat.
fn sung(scene: &Scene, chat: &str) -> usize {
    scene.told(chat).iter().filter(|it| it.starts_with("Beltline canary: this channel works")).count()
}

#[tokio::test]
async fn a_channel_that_fails_is_marked_over_a_restart_until_it_delivers() {
    let scene = Scene::open().await;
    assert_eq!(scene.health("author").await, never_used());
    assert!(scene.test("author").await);
    let good = scene.health("author").await;
    assert!(good["delivered_at"].is_string() && good["failing"] == false, "{good}");
    scene.fail(json!("blocked")).await;
    for name in ["author", "author", "duty", "boss"] {
        assert!(!scene.test(name).await);
    }
    let bad = scene.health("author").await;
    assert_eq!(
        (&bad["failing"], &bad["failures"], &bad["code"]),
        (&json!(true), &json!(2), &json!("channel_refused"))
    );
    assert_eq!(bad["delivered_at"], good["delivered_at"]);
    assert!(bad["detail"].as_str().unwrap().contains("pressed Start"), "{bad}");
    assert!(bad["remedy"].as_str().unwrap().contains("`beltline channel test author`"), "{bad}");
    let scene = scene.reopened().await;
    assert_eq!(scene.health("author").await, bad, "a restart forgets nothing");
    let status = scene.house.api("GET", "/status").send().await.ok(200);
    assert_eq!(status["channels"], json!({"set_up": 3, "failing": 3, "dead": true}), "{status}");
    scene.fail(Value::Null).await;
    assert!(scene.test("author").await);
    let healed = scene.health("author").await;
    assert_eq!(
        (&healed["failing"], &healed["since"], &healed["failures"]),
        (&json!(false), &Value::Null, &json!(0))
    );
    let status = scene.house.api("GET", "/status").send().await.ok(200);
    assert_eq!(status["channels"], json!({"set_up": 3, "failing": 2, "dead": false}), "{status}");
    // Set up anew it is another channel, of which nothing is known.
    scene.channel("duty", "7", json!({})).await;
    assert_eq!(scene.health("duty").await, never_used());
}

fn never_used() -> Value {
    json!({"failing": false, "since": null, "delivered_at": null, "failures": 0, "code": null,
           "detail": null, "remedy": null})
}

#[tokio::test]
async fn a_group_that_moved_is_followed_in_the_settings() {
    let scene = Scene::open().await;
    scene.fail(json!([{"what": "migrated", "times": 1}])).await;
    assert!(scene.test("author").await);
    let moved = SUPERGROUP.to_string();
    let channel = scene.channel_seen("author", |it| it["config"]["chat_id"] == moved).await;
    assert_eq!(channel["health"]["failing"], false);
    assert_eq!(channel["config"]["token"], "***");
    assert!(scene.test("author").await);
    assert_eq!(scene.told(&moved).len(), 2, "the second went there at once");
}

#[tokio::test]
async fn a_group_that_moved_stays_in_the_file_and_is_the_remedy() {
    let scene = Scene::open().await;
    let settings = scene.telegram(AUTHOR);
    let fixed = ChannelConfig { via: "telegram".to_owned(), config: settings.as_object().unwrap().clone() };
    let channels = BTreeMap::from([("filed".to_owned(), fixed)]);
    let clock = Arc::clone(&scene.clock);
    let house = House::build(Plan { clock, channels, ..Plan::default() }).await;
    scene.fail(json!([{"what": "migrated", "times": 1}])).await;
    house.api("POST", "/channels/filed/test").send().await.ok(200);
    let list = house.api("GET", "/channels").send().await.ok(200);
    let remedy = list["items"][0]["health"]["remedy"].as_str().unwrap();
    assert!(remedy.contains(&format!("set `chat_id: {SUPERGROUP}` in the configuration file")), "{remedy}");
    assert_eq!(list["items"][0]["config"]["chat_id"], AUTHOR);
}

#[tokio::test]
async fn a_canary_sings_once_a_week_whatever_restarts_and_marks_who_does_not_hear() {
    let scene = Scene::open().await;
    let canary = json!({"via": "telegram", "config": {"canary": "sometimes", "chat_id": "4", "token": "x"}});
    scene.house.api("PUT", "/channels/bird").json(&canary).send().await.problem(422, "bad_channel");
    scene.channel("bird", "4", json!({"canary": "weekly"})).await;
    let shown = scene.channel_seen("bird", |_| true).await;
    assert_eq!((&shown["config"]["canary"], &shown["config"]["token"]), (&json!("weekly"), &json!("***")));
    assert_eq!(sung(&scene, "4"), 0, "it sings on its day, not when it is bought");
    scene.clock.later(Span::days(7));
    let heard = scene.channel_seen("bird", |it| it["health"]["delivered_at"].is_string()).await;
    assert_eq!((sung(&scene, "4"), &heard["health"]["failing"]), (1, &json!(false)));
    let scene = scene.reopened().await;
    let scene = scene.crashed(Span::millis(1), beltline::outbound::batcher::Grouping::default()).await;
    // Whatever was due has been looked at before a test gets through, for the test changes the health too.
    assert!(scene.test("bird").await);
    scene.fail(json!("blocked")).await;
    scene.clock.later(Span::days(7));
    let bad = scene.channel_seen("bird", |it| it["health"]["failing"] == true).await;
    assert_eq!((sung(&scene, "4"), &bad["health"]["code"]), (1, &json!("channel_refused")));
    scene.fail(Value::Null).await;
    scene.clock.later(Span::days(7));
    scene.channel_seen("bird", |it| it["health"]["failing"] == false).await;
    assert_eq!(sung(&scene, "4"), 2);
    assert_eq!(sung(&scene, AUTHOR), 0, "it is switched on for each channel");
}
