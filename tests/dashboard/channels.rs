//! Channels on their page: a test that is remembered, settings that cannot be, a canary.

use serde_json::json;

use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, Plan};

const SET: &str = "/dashboard/channels/set";

#[tokio::test]
async fn the_last_test_survives_a_restart() {
    let house = House::open().await;
    let config = json!({"via": "webhook", "config": {"url": "http://127.0.0.1:1/", "secret": "made-up-1"}});
    house.api("PUT", "/channels/author").json(&config).send().await.ok(200);
    let visitor = Visitor::operator(&house).await;
    assert!(visitor.page("/dashboard/channels").await.contains("Never tested."));
    let page = visitor.done("/dashboard/channels/test", &[("name", "author")]).await;
    assert!(page.contains("The last test failed:") && page.contains("Delivers nothing since"), "{page}");
    let before = house.api("GET", "/channels").send().await.ok(200)["items"][0]["last"].clone();
    let house = House::build(Plan { store: house.crash().await, ..Plan::default() }).await;
    let page = Visitor::operator(&house).await.page("/dashboard/channels").await;
    assert!(page.contains("The last test failed:") && page.contains("failed in a row: 1"), "{page}");
    assert_eq!(house.api("GET", "/channels").send().await.ok(200)["items"][0]["last"], before);
    // Set up anew it is another channel.
    house.api("PUT", "/channels/author").json(&config).send().await.ok(200);
    assert!(Visitor::operator(&house).await.page("/dashboard/channels").await.contains("Never tested."));
}

#[tokio::test]
async fn what_is_wrong_with_a_setting_stands_beside_it() {
    let house = House::open().await;
    let visitor = Visitor::operator(&house).await;
    for (via, fields, name, says) in [
        ("telegram", vec![("s.chat_id", "")], "chat_id", "is missing"),
        (
            "telegram",
            vec![("s.chat_id", "1"), ("s.token", "hush-hush-1"), ("s.canary", "never")],
            "canary",
            "Weekly",
        ),
        (
            "smtp",
            vec![("s.host", "h"), ("s.from", "a@b.c"), ("s.to", "a@b.c"), ("s.port", "many")],
            "port",
            "is no port",
        ),
    ] {
        let mut all = vec![("via", via), ("name", "author")];
        all.extend(fields);
        let page = visitor.refused(422, SET, &all).await;
        let label = format!("{name}</label>");
        let label =
            page.find(&label).or_else(|| page.find(&format!("{name} <span class=\"need\">"))).unwrap();
        let wrong = page[label..].split("class=\"wrong\"").nth(1).unwrap_or_default();
        assert!(
            wrong.split("</p>").next().unwrap().to_lowercase().contains(&says.to_lowercase()),
            "{via} {name}: {page}"
        );
        assert_eq!(page.matches("class=\"wrong\"").count(), 1, "{page}");
        assert!(!page.contains("hush-hush-1"), "{page}");
    }
    let page = visitor
        .refused(422, SET, &[("via", "telegram"), ("name", "a b"), ("s.chat_id", "1"), ("s.token", "x")])
        .await;
    assert!(page.contains("id=\"name-wrong\""), "{page}");
}

#[tokio::test]
async fn a_canary_is_seen_on_and_off() {
    let house = House::open().await;
    let visitor = Visitor::operator(&house).await;
    let fields = [("via", "telegram"), ("name", "author"), ("s.chat_id", "1"), ("s.token", "hush-hush-1")];
    let page = visitor.done(SET, &fields).await;
    assert!(page.contains("Canary: <span class=\"dim\">off"), "{page}");
    let all: Vec<_> = fields.into_iter().chain([("s.canary", "weekly")]).collect();
    let page = visitor.done(SET, &all).await;
    assert!(page.contains("Canary: sings next <time"), "{page}");
}

#[tokio::test]
async fn the_address_of_a_webhook_is_a_key_and_shown_to_nobody() {
    let house = House::open().await;
    let url = "http://127.0.0.1:1/services/T1/hush-hush-address";
    house
        .api("PUT", "/channels/author")
        .json(&json!({"via": "webhook", "config": {"url": url}}))
        .send()
        .await
        .ok(200);
    let token = house.token("eve", &["read"], None).await;
    let visitors = [Visitor::operator(&house).await, Visitor::with(&house, &token).await];
    // What became of a test names the channel, and nothing of where it leads to.
    visitors[0].done("/dashboard/channels/test", &[("name", "author")]).await;
    for visitor in visitors {
        let page = visitor.page("/dashboard/channels").await;
        assert!(page.contains("The last test failed:") && !page.contains("hush-hush"), "{page}");
    }
    for token in [crate::support::house::OPERATOR, &token] {
        let seen = house.call("GET", "/api/v1/channels").token(token).send().await.ok(200);
        assert_eq!(seen["items"][0]["config"]["url"], "***", "{seen}");
        assert!(!seen.to_string().contains("hush-hush"), "{seen}");
    }
}
