//! Named hooks: a process says who may come in, and what a request becomes.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use beltline::engine::ports::{Clock, Store};
use beltline::outbound::clock::SystemClock;
use beltline::store::memory::Memory;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::call::{Answer, Call};
use crate::support::house::{House, Plan};

const KEY: &str = "k-2f0c9a-canary";

/// Takes orders from a shop that signs what it sends.
const SHOP: &str = r#"
process: shop
params:
  order: {type: object}
hooks:
  orders:
    about: Orders of the shop
    check:
      hmac: {secret: "{{secret.shop}}", header: X-Signature, prefix: "sha256=", time_header: X-Time}
    ref: "{{body.id}}"
    if_exists: modify
    params: {order: "= body", by: '{{headers["x-by"] ?? "nobody"}}'}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, accept: {go: {required: true}}, next: done}
  done: {kind: end}
"#;

/// A door that anybody may use, one with a header, one with a password, one that asks the task.
const DOORS: &str = r#"
process: doors
params:
  name: {type: string}
  token: {type: string, secret: true, input: false}
hooks:
  open: {public: true}
  header: {check: {header: {name: X-Token, value: "tok {{secret.shop}}"}}}
  basic: {check: {basic: {user: ann, password: "{{secret.shop}}"}}}
  app:
    check: {param: {name: token, value: "{{body.auth.application_token}}", first: accept}}
    accept: form
    when: "body.event in ['ONAPPINSTALL', 'ONAPPUNINSTALL']"
    ref: "{{body.auth.member_id}}"
    if_exists: modify
    params: {event: "= body.event", token: "= body.auth.application_token"}
  known: {public: true, ref: "{{body.name}}", if_exists: return, if_missing: refuse}
  asked: {public: true, accept: query, ref: "{{query.name}}"}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, accept: {go: {required: true}}, next: done}
  done: {kind: end}
"#;

/// Answers what it is asked.
const PRICES: &str = r#"
process: prices
params: {sku: {type: string, required: true}}
hooks:
  price: {public: true, answer: reply, timeout: 20s}
  slow: {public: true, answer: reply, timeout: 50ms, params: {sku: slow}}
nodes:
  start: {kind: input, next: which}
  which:
    kind: condition
    branches:
      - {when: "sku == 'tea'", next: told}
      - {when: "sku == 'slow'", next: nap}
      - {when: "sku == 'bad'", next: fails}
      - {when: "sku == 'quiet'", next: done}
    else: unknown
  told: {kind: reply, values: {sku: "{{sku}}", price: "= 2.5"}, next: done}
  unknown: {kind: reply, fault: {code: unknown_sku, message: "there is no {{sku}}", status: 404}, next: done}
  nap: {kind: delay, for: 1h, next: told}
  fails: {kind: set, set: {x: "{{nope}}"}, next: done}
  done: {kind: end}
"#;

async fn set_secret(house: &House) {
    let set = house.api("PUT", "/secrets/shop").json(&json!({"value": KEY})).send().await;
    assert!(set.status < 300, "{}", set.text);
}

fn signed(house: &House, time: i64, body: &str) -> Call {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    let hex: Vec<String> = mac.finalize().into_bytes().iter().map(|it| format!("{it:02x}")).collect();
    let hex = hex.concat();
    let call = house.call("POST", "/hooks/shop/orders").token("").body("application/json", body);
    call.header("x-signature", &format!("sha256={hex}")).header("x-time", &time.to_string())
}

fn now() -> i64 {
    SystemClock.now().seconds()
}

async fn task(house: &House, at: &str) -> Value {
    house.api("GET", &format!("/processes/{at}")).send().await.ok(200)
}

/// What a request is answered that may not come in: the same, whatever is wrong.
fn unproven(answer: &Answer) {
    let problem = answer.problem(401, "not_proven");
    assert!(!problem.to_string().contains(KEY));
    assert_eq!(problem["detail"], "the request does not prove that it may come in");
}

#[tokio::test]
async fn a_signed_request_makes_a_task_and_modifies_it() {
    let house = House::open().await;
    set_secret(&house).await;
    house.deploy(SHOP).await;
    let made = signed(&house, now(), r#"{"id": 1001, "total": 5}"#).send().await;
    let body = made.ok(202);
    assert_eq!(
        (&body["result"], &body["ref"], &body["created"]),
        (&json!("accepted"), &json!("1001"), &json!(true))
    );
    assert_eq!(made.header("location"), "/api/v1/processes/shop/tasks/1001");
    let again =
        signed(&house, now(), r#"{"id": 1001, "total": 6}"#).header("x-by", "bob").send().await.ok(202);
    assert_eq!(again["created"], false);
    let task = task(&house, "shop/tasks/1001").await;
    assert_eq!((&task["params"]["order"]["total"], &task["params"]["by"]), (&json!(6), &json!("bob")));
    let history = house.api("GET", "/processes/shop/tasks/1001/history").send().await.ok(200);
    let events: Vec<&str> =
        history["items"].as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap()).collect();
    assert_eq!(events[0], "submitted by hook orders", "{events:?}");
    assert!(events.contains(&"modify by hook orders"), "{events:?}");
}

#[tokio::test]
async fn an_address_with_a_slash_at_its_end_is_the_same() {
    let house = House::open().await;
    house
        .deploy(
            "process: door\nparams: {by: {}, block: {}}\n\
             hooks:\n  in: {public: true, params: {by: '= headers[\"X-By\"]', \
             block: '{{#if headers}}{{lookup headers \"X-By\"}}{{/if}}'}}\n\
             nodes:\n  start: {kind: input, next: done}\n  done: {kind: end}\n",
        )
        .await;
    for path in ["/hooks/door/in", "/hooks/door/in/", "/hooks/door/in//"] {
        let taken = house.call("POST", path).header("x-by", "ann").json(&json!({})).send().await.ok(202);
        let reference = taken["ref"].as_str().unwrap();
        let params = task(&house, &format!("door/tasks/{reference}")).await["params"].clone();
        assert_eq!(params, json!({"by": "ann", "block": "ann"}), "a header has no case");
    }
    let nowhere = house.call("POST", "/hooks/door/other/").json(&json!({})).send().await;
    assert_eq!(nowhere.status, house.call("POST", "/hooks/door/other").json(&json!({})).send().await.status);
    house.api("GET", "/processes/").send().await.ok(200);
}

#[tokio::test]
async fn a_request_that_does_not_prove_itself_changes_nothing() {
    let house = House::open().await;
    set_secret(&house).await;
    house.deploy(SHOP).await;
    let body = r#"{"id": 1}"#;
    unproven(&house.call("POST", "/hooks/shop/orders").token("").body("application/json", body).send().await);
    unproven(&signed(&house, now(), body).body("application/json", r#"{"id": 2}"#).send().await);
    unproven(&signed(&house, now(), body).header("x-time", &(now() - 1).to_string()).send().await);
    unproven(&signed(&house, now(), body).header("x-signature", "sha256=00").send().await);
    unproven(&signed(&house, now(), body).header("x-signature", "").send().await);
    for old in [now() - 301, now() + 400, 0, i64::MAX] {
        unproven(&signed(&house, old, body).send().await);
    }
    let all = house.api("GET", "/processes/shop/tasks").send().await.ok(200);
    assert_eq!(all["items"], json!([]));
    signed(&house, now() - 200, body).send().await.ok(202);
}

#[tokio::test]
async fn a_request_that_is_sent_again_changes_nothing_also_after_a_restart() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let house = House::build(Plan { store, ..Plan::default() }).await;
    set_secret(&house).await;
    house.deploy(SHOP).await;
    let (time, first) = (now(), r#"{"id": "a", "total": 1}"#);
    signed(&house, time, first).send().await.ok(202);
    signed(&house, time, r#"{"id": "a", "total": 2}"#).send().await.ok(202);
    let body = signed(&house, time, first).send().await.ok(200);
    assert_eq!((&body["result"], &body["ref"]), (&json!("repeated"), &json!("a")));
    let store = house.close().await;
    let house = House::build(Plan { store, ..Plan::default() }).await;
    assert_eq!(signed(&house, time, first).send().await.ok(200)["result"], "repeated");
    // Hexadecimal digits may be large, but the signature is the same one.
    let upper = signed(&house, time, first);
    assert_eq!(upper.send().await.ok(200)["result"], "repeated");
    let task = task(&house, "shop/tasks/a").await;
    assert_eq!(task["params"]["order"]["total"], 2);
}

#[tokio::test]
async fn a_hook_without_its_secret_is_closed() {
    let house = House::open().await;
    house.deploy(SHOP).await;
    house.deploy(DOORS).await;
    signed(&house, now(), r#"{"id": 1}"#).send().await.problem(503, "hook_not_ready");
    let open = house.call("POST", "/hooks/doors/header").token("").header("x-token", "tok ").json(&json!({}));
    open.send().await.problem(503, "hook_not_ready");
    let basic = house.call("POST", "/hooks/doors/basic").token("").json(&json!({}));
    let basic = basic.header("authorization", &format!("Basic {}", BASE64_STANDARD.encode("ann:")));
    basic.send().await.problem(503, "hook_not_ready");
    let all = house.api("GET", "/tasks").send().await.ok(200);
    assert_eq!(all["items"], json!([]));
}

#[tokio::test]
async fn a_header_or_a_password_opens() {
    let house = House::open().await;
    set_secret(&house).await;
    house.deploy(DOORS).await;
    let header = |value: &str| {
        let call = house.call("POST", "/hooks/doors/header").token("").header("x-token", value);
        call.json(&json!({"name": "x", "token": "stolen", "other": 1}))
    };
    unproven(&header(KEY).send().await);
    unproven(&house.call("POST", "/hooks/doors/header").token("").json(&json!({})).send().await);
    let made = header(&format!("tok {KEY}")).send().await.ok(202);
    let made = task(&house, &format!("doors/tasks/{}", made["ref"].as_str().unwrap())).await;
    assert_eq!(made["params"], json!({"name": "x"}), "only what is asked for at submit is taken");
    let basic = |pair: &str| {
        let word = format!("Basic {}", BASE64_STANDARD.encode(pair));
        house.call("POST", "/hooks/doors/basic").token("").json(&json!({})).header("authorization", &word)
    };
    let refused = basic("ann:no").send().await;
    unproven(&refused);
    assert!(refused.header("www-authenticate").starts_with("Basic"));
    unproven(&basic(&format!("bob:{KEY}")).send().await);
    basic(&format!("ann:{KEY}")).send().await.ok(202);
}

#[tokio::test]
async fn an_event_of_an_application_is_nested_and_proved_by_what_the_task_knows() {
    let house = House::open().await;
    house.deploy(DOORS).await;
    let event = |event: &str, member: &str, token: &str| {
        let body = format!(
            "event={event}&auth%5Bmember_id%5D={member}&auth[application_token]={token}&auth[scope]=crm"
        );
        house
            .call("POST", "/hooks/doors/app")
            .token("")
            .body("application/x-www-form-urlencoded", body)
            .send()
    };
    assert_eq!(event("ONAPPINSTALL", "m1", "t1").await.ok(202)["created"], true);
    assert_eq!(event("ONCRMLEADADD", "m1", "t1").await.ok(200)["result"], "ignored");
    unproven(&event("ONAPPUNINSTALL", "m1", "t2").await);
    unproven(&event("ONAPPUNINSTALL", "m1", "").await);
    unproven(&event("ONAPPINSTALL", "m2", "").await);
    assert_eq!(task(&house, "doors/tasks/m1").await["params"]["event"], "ONAPPINSTALL");
    assert_eq!(event("ONAPPUNINSTALL", "m1", "t1").await.ok(202)["created"], false);
    let task = task(&house, "doors/tasks/m1").await;
    assert_eq!(
        (&task["params"]["event"], &task["params"]["token"]),
        (&json!("ONAPPUNINSTALL"), &json!("***"))
    );
    // Nothing is there that could be compared.
    let bare = house
        .call("POST", "/hooks/doors/app")
        .token("")
        .body("application/x-www-form-urlencoded", "event=ONAPPINSTALL");
    assert!(bare.send().await.status >= 400);
}

#[tokio::test]
async fn a_hook_takes_what_it_says_and_no_more() {
    let house = House::open().await;
    house.deploy(DOORS).await;
    let call = |method: &str, path: &str| house.call(method, &format!("/hooks/doors/{path}")).token("");
    let made =
        call("POST", "open").body("application/x-www-form-urlencoded", "name=x&extra=1").send().await.ok(202);
    assert_eq!(made["created"], true);
    call("POST", "known").json(&json!({"name": "gone"})).send().await.problem(404, "no_such_task");
    house.submit("doors", "there", json!({})).await;
    assert_eq!(call("POST", "known").json(&json!({"name": "there"})).send().await.ok(202)["created"], false);
    call("POST", "known").json(&json!({})).send().await.problem(422, "missing_field");
    call("GET", "asked?name=from%20query").send().await.ok(202);
    assert_eq!(task(&house, "doors/tasks/from%20query").await["params"]["name"], "from query");
    call("GET", "asked?name=from%20query").send().await.problem(409, "ref_taken");
    let refused = call("GET", "open").send().await;
    refused.problem(405, "method_not_allowed");
    assert_eq!(refused.header("allow"), "POST");
    call("PUT", "open").send().await.problem(405, "method_not_allowed");
    assert_eq!(call("HEAD", "asked?name=head").send().await.status, 405);
    call("POST", "open").body("application/json", "{\"name\": ").send().await.problem(422, "bad_body");
    call("POST", "open").body("text/plain", "hello").send().await.problem(415, "unsupported_media_type");
    call("POST", "open").json(&json!([1])).send().await.problem(422, "bad_body");
    call("POST", "open").json(&json!({"name": 5})).send().await.problem(422, "invalid_params");
    // Neither a process nor a hook can be guessed by the answer.
    let nowhere = call("POST", "nope").json(&json!({})).send().await.problem(404, "not_found");
    let no_process = house.call("POST", "/hooks/nope/open").token("").json(&json!({})).send().await;
    assert_eq!(nowhere, no_process.problem(404, "not_found"));
    assert_eq!(nowhere, call("PUT", "nope").send().await.problem(404, "not_found"));
}

#[tokio::test]
async fn what_one_field_holds_is_what_the_body_says() {
    let house = House::open().await;
    house.deploy(DOORS).await;
    for (kind, body) in [
        ("application/xml", "<request><name>one</name></request>"),
        ("application/json", r#"{"data": {"name": "one"}}"#),
        ("application/json", r#"{"name": "one", "data": {"name": "two"}}"#),
    ] {
        let made = house.call("POST", "/hooks/doors/open").token("").body(kind, body).send().await.ok(202);
        let task = task(&house, &format!("doors/tasks/{}", made["ref"].as_str().unwrap())).await;
        assert_eq!(task["params"]["name"], "one", "{body}");
    }
}

#[tokio::test]
async fn a_reply_node_answers_the_caller() {
    let house = House::open().await;
    house.deploy(PRICES).await;
    let ask = |hook: &str, sku: &str| {
        let call = house.call("POST", &format!("/hooks/prices/{hook}")).token("");
        call.json(&json!({"sku": sku})).send()
    };
    assert_eq!(ask("price", "tea").await.ok(200), json!({"price": 2.5, "sku": "tea"}));
    let problem = ask("price", "gold").await.problem(404, "unknown_sku");
    assert_eq!(problem["detail"], "there is no gold");
    let late = ask("slow", "x").await.ok(202);
    let at = format!("prices/tasks/{}", late["ref"].as_str().unwrap());
    assert_eq!(task(&house, &at).await["state"], "waiting");
    ask("price", "bad").await.problem(502, "no_reply");
    assert_eq!(ask("price", "quiet").await.ok(202)["result"], "accepted");
    house
        .call("POST", "/hooks/prices/price")
        .token("")
        .json(&json!({}))
        .send()
        .await
        .problem(422, "invalid_params");
}
