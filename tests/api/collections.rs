//! Secrets, variables and channels; and that no secret is in any answer.

use std::collections::BTreeMap;

use axum::Router;
use axum::routing::post;
use beltline::engine::resources::ChannelConfig;
use serde_json::{Value, json};

use crate::support::house::{House, Plan};

const SECRET: &str = "xK9-secret-in-no-answer";

#[tokio::test]
async fn secrets_and_variables_are_kept_and_reach_the_tasks() {
    let house = House::open().await;
    let text = "
process: vars
nodes:
  start: {kind: input, next: put}
  put: {kind: set, set: {greeting: 'hello {{var.name}}'}, next: done}
  done: {kind: end}
";
    house.deploy(text).await;
    house.api("PUT", "/vars/name").json(&json!({"value": "Ann"})).send().await.ok(200);
    assert_eq!(house.submit("vars", "one", json!({})).await["params"]["greeting"], "hello Ann");
    house.api("PUT", "/vars/name").json(&json!({"value": {"first": "Bob"}})).send().await.ok(200);
    assert_eq!(house.api("GET", "/vars").send().await.ok(200)["items"][0]["value"]["first"], "Bob");
    house.api("DELETE", "/vars/name").send().await.ok(204);
    let body = json!({"ref": "two", "params": {}});
    let failed = house.api("POST", "/processes/vars/tasks").json(&body).send().await.ok(201);
    assert_eq!(failed["state"], "failed");
    let set = |name: &str, body: Value| house.api("PUT", &format!("/secrets/{name}")).json(&body).send();
    let answer = set("key", json!({"value": SECRET, "hosts": ["api.example.org"]})).await;
    assert_eq!(answer.ok(200)["hosts"], json!(["api.example.org"]));
    set("a%20b", json!({"value": "x"})).await.problem(422, "bad_name");
    set("empty", json!({"value": ""})).await.problem(422, "bad_value");
    let listed = house.api("GET", "/secrets").send().await;
    assert_eq!(listed.ok(200)["items"][0]["name"], "key");
    assert!(!listed.text.contains(SECRET) && !answer.text.contains(SECRET));
    house.api("DELETE", "/secrets/key").send().await.ok(204);
    house.api("DELETE", "/secrets/key").send().await.problem(404, "not_found");
}

#[tokio::test]
async fn a_channel_is_set_up_tested_and_never_shows_its_keys() {
    let told = Router::new().route(
        "/{*path}",
        post(|body: String| async move {
            assert!(body.contains("A test of the channel"), "{body}");
            axum::Json(json!({"ok": true, "result": {"message_id": 77}}))
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, told).await });
    let config = json!({"chat_id": "1", "token": SECRET, "base_url": base});
    let fixed = ChannelConfig { via: "telegram".to_owned(), config: config.as_object().unwrap().clone() };
    let channels = BTreeMap::from([("duty".to_owned(), fixed)]);
    let house = House::build(Plan { channels, ..Plan::default() }).await;
    let set = |name: &str, via: &str, config: &Value| {
        house.api("PUT", &format!("/channels/{name}")).json(&json!({"via": via, "config": config})).send()
    };
    let answer = set("author", "telegram", &config).await;
    assert_eq!(answer.ok(200)["config"], json!({"chat_id": "1", "token": "***", "base_url": base}));
    set("author", "telegramm", &config).await.problem(422, "bad_channel");
    set("author", "telegram", &json!({"chat_id": "1"})).await.problem(422, "bad_channel");
    for bad in ["not a url", "hooks.example.org/x", "//hooks.example.org", "ftp://hooks.example.org"] {
        let told = set("hook", "webhook", &json!({"url": bad})).await.problem(422, "bad_channel").to_string();
        assert!(told.contains("is no URL") && !told.contains("example"), "it may be a key: {told}");
    }
    set("hook", "webhook", &json!({"url": "{{secret.hook}}"})).await.ok(200);
    house.api("DELETE", "/channels/hook").send().await.ok(204);
    set("duty", "telegram", &config).await.problem(409, "channel_in_file");
    house.api("DELETE", "/channels/duty").send().await.problem(409, "channel_in_file");
    let shown = json!({"chat_id": "2", "token": "***", "base_url": base});
    set("author", "telegram", &shown).await.ok(200);
    for name in ["author", "duty"] {
        let tested = house.api("POST", &format!("/channels/{name}/test")).send().await.ok(200);
        assert_eq!(tested["delivered"], true, "{tested}");
    }
    house.api("PUT", "/secrets/telegram").json(&json!({"value": SECRET})).send().await.ok(200);
    let named = json!({"chat_id": "1", "token": "{{secret.telegram}}", "base_url": base});
    let answer = set("named", "telegram", &named).await;
    assert_eq!(answer.ok(200)["config"]["token"], "{{secret.telegram}}", "a name is no secret");
    assert_eq!(house.api("POST", "/channels/named/test").send().await.ok(200)["delivered"], true);
    let broken = json!({"chat_id": "1", "token": SECRET, "base_url": "http://127.0.0.1:1"});
    set("broken", "telegram", &broken).await.ok(200);
    let tested = house.api("POST", "/channels/broken/test").send().await;
    assert_eq!(tested.ok(200)["delivered"], false);
    let status = house.api("GET", "/status").send().await;
    assert_eq!(status.ok(200)["channels_failing"][0]["name"], "broken");
    let list = house.api("GET", "/channels").send().await;
    assert_eq!(list.ok(200)["items"][2]["fixed"], true);
    for answer in [answer, tested, status, list] {
        assert!(!answer.text.contains(SECRET), "{}", answer.text);
    }
    house.api("DELETE", "/channels/author").send().await.ok(204);
}

#[tokio::test]
async fn no_secret_of_a_task_is_in_any_answer() {
    let text = r#"
process: secrets
params:
  key: {type: string, secret: true}
  city: {type: string}
nodes:
  start: {kind: input, next: copy}
  copy: {kind: set, set: {copied: "<{{key}}>", deep: {list: ["{{key}}"]}}, next: tell}
  tell: {kind: escalation, message: "the key is {{key}}", notify: [nobody], next: fall}
  fall: {kind: set, set: {x: "= params[key]"}, next: done, on_error: rest}
  rest: {kind: wait, next: done}
  done: {kind: end, result: {all: "{{key}} and {{city}}"}}
"#;
    let house = House::open().await;
    house.deploy(text).await;
    let control = "a-city-in-the-answers";
    let body = json!({"ref": "one", "params": {"key": SECRET, "city": control}});
    let mut texts = vec![house.api("POST", "/processes/secrets/tasks").json(&body).send().await.text];
    house.until("/processes/secrets/tasks/one", |it| it["node"] == "rest").await;
    let looks = [
        "/processes/secrets/tasks/one",
        "/processes/secrets/tasks/one/history",
        "/processes/secrets/tasks",
        "/tasks",
        "/alarms",
        "/status",
        "/processes/secrets",
    ];
    for path in looks {
        texts.push(house.api("GET", path).send().await.text);
    }
    assert!(texts[5].contains("the key is ***"), "{}", texts[5]);
    texts.push(house.api("POST", "/processes/secrets/tasks/one/wake").send().await.text);
    for path in looks {
        texts.push(house.api("GET", path).send().await.text);
    }
    for text in &texts {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(texts[0].contains(control) && texts[1].contains(control), "the control is seen");
    assert!(texts[8].contains(r#""result":{"all":"***"}"#), "{}", texts[8]);
}
