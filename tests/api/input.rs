//! What the process alone writes: no door takes it. And how often a hook takes anything.

use serde_json::{Value, json};

use crate::support::house::House;

/// A process with a param that may be handed in, one that it writes by itself, and one of its own that a node
/// accepts.
const KEEPER: &str = "process: keeper
params:
  city: {type: string}
  made: {type: string, input: false}
  code: {type: string, input: false}
hooks:
  new: {public: true, ref: \"{{query.ref}}\", if_exists: modify}
  told: {public: true, ref: \"{{query.ref}}\", if_exists: modify, params: {made: \"{{body.made}}\"}}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, accept: {code: {required: true}}, link: true, next: busy}
  busy: {kind: wait, next: busy}
";

async fn refused(house: &House, method: &str, path: &str, body: &Value) {
    let answer = house.api(method, path).json(body).send().await;
    assert_eq!(answer.status, 422, "{path}: {}", answer.text);
    let problem = answer.json();
    assert_eq!(problem["code"], "invalid_params");
    let field = &problem["fields"][0];
    assert_eq!((&field["name"], &field["code"]), (&json!("made"), &json!("bad_param")));
    assert!(field["message"].as_str().unwrap().contains("`input: false`"), "{field}");
}

#[tokio::test]
async fn what_the_process_alone_writes_is_taken_at_no_door() {
    let house = House::open().await;
    house.deploy(KEEPER).await;
    let given = json!({"params": {"city": "Riga", "made": "by me"}});
    refused(&house, "POST", "/processes/keeper/tasks", &given).await;
    let empty = json!({"params": {"made": null}});
    refused(&house, "POST", "/processes/keeper/tasks", &empty).await;
    let task = house.submit("keeper", "one", json!({"city": "Riga"})).await;
    refused(&house, "POST", "/processes/keeper/tasks/one/modify", &given).await;
    let again = json!({"ref": "one", "if_exists": "modify", "params": {"made": "by me"}});
    refused(&house, "POST", "/processes/keeper/tasks", &again).await;
    let many =
        "{\"ref\": \"a\", \"params\": {\"made\": \"x\"}}\n{\"ref\": \"b\", \"params\": {\"city\": \"x\"}}\n";
    let call = house.api("POST", "/processes/keeper/tasks").body("application/x-ndjson", many);
    let lines = call.send().await.text;
    assert!(lines.contains("invalid_params") && lines.contains("\"b\""), "each line by itself: {lines}");
    // A hook that does not say what to take takes what may be handed in; else it is its author's word.
    let brought = json!({"city": "Oslo", "made": "by a stranger"});
    let hook = house.call("POST", "/hooks/keeper/new?ref=one").token("").json(&brought);
    hook.send().await.ok(202);
    let seen = house.until("/processes/keeper/tasks/one", |it| it["params"]["city"] == "Oslo").await;
    assert_eq!(seen["params"], json!({"city": "Oslo"}));
    house.call("POST", "/hooks/keeper/told?ref=one").token("").json(&brought).send().await.ok(202);
    house.until("/processes/keeper/tasks/one", |it| it["params"]["made"] == "by a stranger").await;
    // A link brings what the node accepts, and nothing else; so does an order, while the task waits there.
    let link = task["link"].as_str().unwrap();
    let (_, path) = link.split_once(&house.address.to_string()).unwrap();
    let call = house.call("POST", path).token("").json(&json!({"made": "by a link", "city": "Bonn"}));
    call.send().await;
    let seen = house.api("GET", "/processes/keeper/tasks/one").send().await.ok(200);
    assert_eq!(seen["params"], json!({"city": "Oslo", "made": "by a stranger"}));
    let code = json!({"params": {"code": "c-1"}});
    house.api("POST", "/processes/keeper/tasks/one/modify").json(&code).send().await.ok(200);
    let seen = house.until("/processes/keeper/tasks/one", |it| it["node"] == "busy").await;
    assert_eq!(seen["params"]["code"], "c-1");
    house
        .api("POST", "/processes/keeper/tasks/one/modify")
        .json(&code)
        .send()
        .await
        .problem(422, "invalid_params");
}

#[tokio::test]
async fn a_hook_takes_so_many_in_a_time_and_who_may_not_come_in_uses_nothing_up() {
    let house = House::open().await;
    let text = "process: shop
params: {n: {type: integer}}
hooks:
  open: {public: true, rate: 3/h, ref: \"{{query.ref}}\"}
  kept: {check: {header: {name: X-Key, value: \"{{secret.shop}}\"}}, rate: 2/h}
  free: {public: true}
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";
    house.api("PUT", "/secrets/shop").json(&json!({"value": "a-made-up-key"})).send().await.ok(200);
    house.deploy(text).await;
    let ask = async |hook: &str, key: &str| {
        let call = house.call("POST", &format!("/hooks/shop/{hook}")).token("").header("x-key", key);
        call.json(&json!({})).send().await
    };
    let mut answers = Vec::new();
    for n in 0..5 {
        answers.push(ask(&format!("open?ref=t{n}"), "").await);
    }
    let statuses: Vec<u16> = answers.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [202, 202, 202, 429, 429]);
    let last = answers.pop().unwrap();
    last.problem(429, "too_many_requests");
    assert!(last.text.contains("3/h"), "{}", last.text);
    let wait: u64 = last.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1_190..=1_200).contains(&wait), "a third of an hour: {wait}");
    house.api("GET", "/processes/shop/tasks/t3").send().await.problem(404, "no_such_task");
    for _ in 0..5 {
        ask("kept", "wrong").await.problem(401, "not_proven");
    }
    for _ in 0..2 {
        ask("kept", "a-made-up-key").await.ok(202);
    }
    ask("kept", "a-made-up-key").await.problem(429, "too_many_requests");
    ask("kept", "wrong").await.problem(401, "not_proven");
    ask("free", "").await.ok(202);
}

#[tokio::test]
async fn a_redirect_comes_from_the_provider_that_was_asked() {
    let house = House::open().await;
    let text = "process: login
params:
  issuer: {type: string, default: \"\"}
  code: {type: string, secret: true, input: false}
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: wait
    link: \"https://id.example/authorize?state={{task.key}}\"
    issuer: \"{{issuer}}\"
    accept: {code: {required: true}}
    next: done
  done: {kind: end}
";
    house.deploy(text).await;
    for (name, issuer, brought, good) in [
        ("same", "https://id.example", "&iss=https%3A%2F%2Fid.example", true),
        ("other", "https://id.example", "&iss=https%3A%2F%2Fmallory.example", false),
        ("longer", "https://id.example", "&iss=https%3A%2F%2Fid.example%2F", false),
        ("silent", "https://id.example", "", false),
        ("unasked", "", "&iss=https%3A%2F%2Fid.example", true),
        ("neither", "", "", true),
    ] {
        let task = house.submit("login", name, json!({"issuer": issuer})).await;
        let (_, state) = task["link"].as_str().unwrap().split_once("state=").unwrap();
        let path = format!("/oauth/callback?state={state}&code=made-up{brought}");
        let page = house.call("GET", &path).token("").send().await;
        assert_eq!(page.status, if good { 200 } else { 409 }, "{name}: {}", page.text);
        let at = format!("/processes/login/tasks/{name}");
        if good {
            house.until(&at, |it| it["state"] == "done").await;
            continue;
        }
        let task = house.api("GET", &at).send().await.ok(200);
        assert_eq!((&task["node"], &task["params"]["code"]), (&json!("ask"), &Value::Null), "{name}");
        assert!(!page.text.contains("mallory"), "nobody's words: {}", page.text);
        // The link is as good as before.
        let path = format!("/oauth/callback?state={state}&code=made-up&iss=https%3A%2F%2Fid.example");
        assert_eq!(house.call("GET", &path).token("").send().await.status, 200, "{name}");
    }
}
