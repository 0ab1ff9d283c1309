//! Who may do what: nothing is open that is not named so, and a right opens what it says and no more.

use serde_json::{Value, json};

use crate::api::tasks::HOLD;
use crate::support::house::House;

/// A request and the right it needs.
const DOORS: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/processes", "read"),
    ("GET", "/api/v1/processes/hold", "read"),
    ("GET", "/api/v1/processes/hold/versions", "read"),
    ("GET", "/api/v1/processes/hold/graph", "read"),
    ("PUT", "/api/v1/processes/hold", "edit"),
    ("POST", "/api/v1/processes/hold/pause", "edit"),
    ("POST", "/api/v1/processes/hold/resume", "edit"),
    ("DELETE", "/api/v1/processes/hold", "edit"),
    ("POST", "/api/v1/processes/hold/tasks", "run"),
    ("GET", "/api/v1/processes/hold/tasks", "read"),
    ("GET", "/api/v1/tasks", "read"),
    ("GET", "/api/v1/processes/hold/tasks/one", "read"),
    ("GET", "/api/v1/processes/hold/tasks/one/history", "read"),
    ("GET", "/api/v1/processes/hold/tasks/one/params/city", "read"),
    ("POST", "/api/v1/processes/hold/tasks/one/modify", "run"),
    ("POST", "/api/v1/processes/hold/tasks/one/wake", "run"),
    ("POST", "/api/v1/processes/hold/tasks/one/retry", "run"),
    ("POST", "/api/v1/processes/hold/tasks/one/move", "run"),
    ("POST", "/api/v1/processes/hold/tasks/one/ack", "run"),
    ("POST", "/api/v1/processes/hold/tasks/one/cancel", "run"),
    ("GET", "/api/v1/alarms", "read"),
    ("GET", "/api/v1/expiring", "read"),
    ("GET", "/api/v1/status", "read"),
    ("POST", "/api/v1/status/check", "run"),
    ("GET", "/api/v1/audit", "admin"),
    ("GET", "/api/v1/channels", "read"),
    ("PUT", "/api/v1/channels/author", "secrets"),
    ("DELETE", "/api/v1/channels/author", "secrets"),
    ("POST", "/api/v1/channels/author/test", "run"),
    ("GET", "/api/v1/secrets", "secrets"),
    ("PUT", "/api/v1/secrets/key", "secrets"),
    ("DELETE", "/api/v1/secrets/key", "secrets"),
    ("GET", "/api/v1/vars", "read"),
    ("PUT", "/api/v1/vars/name", "edit"),
    ("DELETE", "/api/v1/vars/name", "edit"),
    ("GET", "/api/v1/tokens", "admin"),
    ("POST", "/api/v1/tokens", "admin"),
    ("DELETE", "/api/v1/tokens/ann", "admin"),
    ("GET", "/metrics", "read"),
];

/// A body that is good enough to be refused for the right alone.
fn body(path: &str) -> Value {
    match path.rsplit('/').next().unwrap_or_default() {
        "modify" => json!({"params": {}}),
        "move" => json!({"to": "rest"}),
        "author" => json!({"via": "telegram", "config": {}}),
        "key" | "name" => json!({"value": "x"}),
        "tokens" => json!({"name": "x", "scopes": ["read"]}),
        _ => json!({"params": {"city": "Riga"}}),
    }
}

#[tokio::test]
async fn each_right_opens_what_it_says() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    house.submit("hold", "one", json!({"city": "Riga"})).await;
    let mut tokens = Vec::new();
    for right in ["read", "run", "edit", "secrets"] {
        tokens.push((right, house.token(right, &[right], None).await));
    }
    for (method, path, needed) in DOORS {
        let call = |token: &str| {
            let call = house.call(method, path).token(token);
            if *method == "GET" || path.ends_with("/hold") { call } else { call.json(&body(path)) }
        };
        call("").send().await.problem(401, "no_token");
        call("blt_wrong").send().await.problem(401, "bad_token");
        for (right, token) in tokens.iter().filter(|(right, _)| right != needed) {
            let denied = call(token).send().await;
            assert_eq!(denied.status, 403, "{method} {path} with {right}: {}", denied.text);
            assert!(denied.problem(403, "denied")["detail"].as_str().unwrap().contains(needed));
        }
        let Some((_, token)) = tokens.iter().find(|(right, _)| right == needed) else { continue };
        if *method != "DELETE" {
            assert_ne!(call(token).send().await.status, 403, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_token_for_one_process_opens_no_other() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    house.deploy(&HOLD.replace("process: hold", "process: other")).await;
    house.submit("hold", "one", json!({"city": "Riga"})).await;
    house.submit("other", "two", json!({"city": "Riga"})).await;
    let token = house.token("ann", &["read", "run", "edit", "secrets"], Some(&["other"])).await;
    let ann = |method: &str, path: &str| house.api(method, path).token(&token);
    ann("GET", "/processes/hold").send().await.problem(403, "denied");
    ann("GET", "/processes/hold/tasks/one").send().await.problem(403, "denied");
    ann("POST", "/processes/hold/tasks/one/cancel").send().await.problem(403, "denied");
    ann("PUT", "/processes/hold").yaml(HOLD).send().await.problem(403, "denied");
    let smuggled = ann("PUT", "/processes/other").yaml(HOLD).send().await;
    assert!([403, 422].contains(&smuggled.status));
    for path in ["/secrets", "/vars", "/channels", "/status"] {
        ann("GET", path).send().await.problem(403, "denied");
    }
    let refs = |page: &Value, name: &str| {
        page["items"].as_array().unwrap().iter().map(|it| it[name].clone()).collect::<Vec<_>>()
    };
    assert_eq!(refs(&ann("GET", "/processes").send().await.ok(200), "id"), ["other"]);
    assert_eq!(refs(&ann("GET", "/tasks").send().await.ok(200), "ref"), ["two"]);
    ann("POST", "/processes/other/tasks/two/cancel").send().await.ok(200);
}

#[tokio::test]
async fn who_may_only_look_sees_no_link() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    house.submit("hold", "one", json!({"city": "Riga"})).await;
    let token = house.token("ann", &["read"], None).await;
    let hers = house.api("GET", "/processes/hold/tasks/one").token(&token).send().await;
    assert_eq!(hers.ok(200)["link"], Value::Null);
    assert!(!hers.text.contains("/hooks/"));
    let ours = house.api("GET", "/processes/hold/tasks/one").send().await.ok(200);
    assert!(ours["link"].as_str().unwrap().contains("/hooks/hold/"));
}

#[tokio::test]
async fn a_token_is_shown_once_and_opens_nothing_when_it_is_over() {
    let house = House::open().await;
    let token = house.token("ann", &["read"], None).await;
    assert!(token.starts_with("blt_") && token.len() == 47);
    let listed = house.api("GET", "/tokens").send().await;
    assert_eq!(listed.ok(200)["items"][0]["name"], "ann");
    assert!(!listed.text.contains(&token));
    house.api("GET", "/processes").token(&token).send().await.ok(200);
    house.api("DELETE", "/tokens/ann").send().await.ok(204);
    house.api("GET", "/processes").token(&token).send().await.problem(401, "bad_token");
    house.api("DELETE", "/tokens/ann").send().await.problem(404, "not_found");
    let make = |body: Value| house.api("POST", "/tokens").json(&body).send();
    make(json!({"name": "b", "scopes": []})).await.problem(422, "bad_scopes");
    make(json!({"name": "b", "scopes": ["raed"]})).await.problem(422, "bad_shape");
    make(json!({"name": "a b", "scopes": ["read"]})).await.problem(422, "bad_name");
    let past = json!({"name": "b", "scopes": ["read"], "expires": "2020-01-01T00:00:00Z"});
    make(past).await.problem(422, "bad_expiry");
    make(json!({"name": "b", "scopes": ["read"], "expires": "2099-01-01T00:00:00Z"})).await.ok(201);
    make(json!({"name": "b", "scopes": ["read"]})).await.problem(409, "token_exists");
    let records = house.store.collection(beltline::engine::ports::Collection::Token).await.unwrap();
    assert!(!format!("{records:?}").contains("blt_"), "only its hash is kept");
}
