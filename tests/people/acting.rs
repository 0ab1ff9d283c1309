//! With whose rights a process acts: every way to act in another one, by everybody who may deploy.

use serde_json::{Value, json};

use crate::support::house::{House, task_path};

/// The process that is acted in. It waits for signals, and answers who calls it.
const MILL: &str = "process: mill
params: {n: {type: integer}}
nodes:
  start: {kind: input, next: which}
  which: {kind: condition, branches: [{when: \"task.ref == 'kept'\", next: rest}], else: said}
  rest: {kind: wait, next: rest}
  said: {kind: reply, values: {n: 1}, next: done}
  done: {kind: end}
";

type Deployer = (&'static str, &'static [&'static str], Option<&'static [&'static str]>, bool);

/// Who deploys: what their token opens, where (none: everywhere), and whether that lets their process act in
/// the mill.
const DEPLOYERS: [Deployer; 6] = [
    ("an admin", &["admin"], None, true),
    ("who edits and runs everywhere", &["edit", "run"], None, true),
    ("who edits and runs in both", &["edit", "run"], Some(&["shop", "mill"]), true),
    ("who edits everywhere", &["edit"], None, false),
    ("who edits and runs in the shop", &["edit", "run"], Some(&["shop"]), false),
    ("who may all but run in both", &["read", "edit", "secrets"], Some(&["shop", "mill"]), false),
];

/// The ways to act; `TO` is the mill.
const WAYS: [(&str, &str); 7] = [
    ("call", "{kind: call, process: TO, next: done, on_error: failed}"),
    ("each", "{kind: each, items: [1], process: TO, next: done, on_error: failed}"),
    ("send", "{kind: send, process: TO, next: done, on_error: failed}"),
    (
        "modify",
        "{kind: send, process: TO, ref: kept, mode: modify, params: {n: 2}, next: done, on_error: failed}",
    ),
    (
        "either",
        "{kind: send, process: TO, ref: kept, mode: either, params: {n: 2}, next: done, on_error: failed}",
    ),
    ("notify", "{kind: notify, notify: {call: TO}, message: hello, next: done, on_error: failed}"),
    ("escalation", "{kind: escalation, notify: {call: TO}, message: hello, next: done, on_error: failed}"),
];

fn shop(act: &str) -> String {
    format!(
        "process: shop
params: {{to: {{type: string, default: mill}}}}
nodes:
  start: {{kind: input, next: act}}
  act: {act}
  done: {{kind: end}}
  failed: {{kind: end, ok: false}}
"
    )
}

async fn mill(house: &House, open: bool) {
    let text = if open { MILL.replace("params:", "open_to: [shop]\nparams:") } else { MILL.to_owned() };
    house.deploy(&text).await;
}

/// What becomes of a task of the shop: the node it ends on, and its fault.
async fn ran(house: &House, reference: &str) -> (Value, Value) {
    house.submit("shop", reference, json!({})).await;
    let path = task_path("shop", reference);
    let task = house.until(&path, |it| it["state"] == "done" || it["state"] == "failed").await;
    (task["node"].clone(), task["fault"]["code"].clone())
}

#[tokio::test]
async fn a_process_acts_with_the_rights_of_who_deploys_it() {
    let house = House::open().await;
    mill(&house, false).await;
    house.submit("mill", "kept", json!({})).await;
    house.deploy(&shop("{kind: set, set: {x: 1}, next: done, on_error: failed}")).await;
    for (who, scopes, within, may) in DEPLOYERS {
        let token = house.token(&who.replace(' ', "-"), scopes, within).await;
        for (way, act) in WAYS {
            for open in [false, true] {
                mill(&house, open).await;
                let (may, case) = (may || open, format!("{way} by {who}, open: {open}"));
                // Named: it is known at the deploy.
                let text = shop(&act.replace("TO", "mill"));
                let call = house.api("PUT", "/processes/shop").token(&token).yaml(&text);
                let answer = call.send().await;
                assert_eq!(answer.status < 300, may, "{case}: {}", answer.text);
                match may {
                    true => assert_eq!(answer.json()["reaches"], json!(["mill"]), "{case}"),
                    false => assert_eq!(answer.json()["code"], "not_open", "{case}: {}", answer.text),
                }
                // Made by the task: it is known when it acts.
                let text = shop(&act.replace("TO", "\"{{to}}\"").replace("kept", "kept, about: x"));
                let call = house.api("PUT", "/processes/shop").token(&token).yaml(&text);
                call.send().await.ok(if answer.status == 201 { 201 } else { 200 });
                let (node, fault) = ran(&house, &format!("{way}-{who}-{open}").replace(' ', "-")).await;
                let wanted =
                    if may { (json!("done"), Value::Null) } else { (json!("failed"), json!("not_open")) };
                assert_eq!((node, fault), wanted, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_process_may_outlives_a_restart_and_ends_with_the_next_deploy() {
    let house = House::open().await;
    mill(&house, false).await;
    let act = "{kind: send, process: \"{{to}}\", next: done, on_error: failed}";
    let (weak, text) = (house.token("weak", &["edit", "run"], Some(&["shop"])).await, shop(act));
    house.api("PUT", "/processes/shop").token(&weak).yaml(&text).send().await.ok(201);
    assert_eq!(ran(&house, "a").await.1, "not_open");
    let store = house.close().await;
    let house = House::build(crate::support::house::Plan { store, ..Default::default() }).await;
    assert_eq!(ran(&house, "b").await.1, "not_open");
    // A rest changes nothing of it.
    house.api("POST", "/processes/shop/pause").send().await.ok(200);
    house.api("POST", "/processes/shop/resume").send().await.ok(200);
    assert_eq!(ran(&house, "c").await.1, "not_open");
    // The same text by somebody who may: it may, and goes on to when the other one deploys it again.
    house.deploy(&text).await;
    assert_eq!(ran(&house, "d").await, (json!("done"), Value::Null));
    house.api("PUT", "/processes/shop").token(&weak).yaml(&text).send().await.ok(200);
    assert_eq!(ran(&house, "e").await, (json!("done"), Value::Null));
    // Another text is theirs alone.
    let other = text.replace("process: shop", "process: shop\nabout: another");
    house.api("PUT", "/processes/shop").token(&weak).yaml(&other).send().await.ok(200);
    assert_eq!(ran(&house, "f").await.1, "not_open");
    // And what is opened to it is open at once.
    mill(&house, true).await;
    assert_eq!(ran(&house, "g").await, (json!("done"), Value::Null));
    mill(&house, false).await;
    assert_eq!(ran(&house, "h").await.1, "not_open");
}

#[tokio::test]
async fn only_who_reads_secrets_takes_the_secret_off_a_param() {
    let house = House::open().await;
    let text = "process: safe
params:
  key: {type: string, secret: true}
  token: {type: string, secret: true, shared: true}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, next: rest}
";
    house.deploy(text).await;
    house.submit("safe", "one", json!({"key": "k-1234", "token": "t-1234"})).await;
    let edit = house.token("edit", &["read", "edit", "run"], None).await;
    let secrets = house.token("secrets", &["read", "edit", "run", "secrets"], None).await;
    let key = "  key: {type: string, secret: true}\n";
    let shows = [
        ("bare", text.replace(key, "  key: {type: string}\n"), "`key` was `secret`"),
        ("gone", text.replace(key, ""), "`key` was `secret`"),
        ("renamed", text.replace("  key:", "  code:"), "`key` was `secret`"),
        (
            "shared",
            text.replace(key, &key.replace("true}", "true, shared: true}")),
            "`key` would be `shared`",
        ),
        (
            "new",
            text.replace(key, &format!("{key}  more: {{secret: true, shared: true}}\n")),
            "`more` would be",
        ),
    ];
    for (case, changed, why) in &shows {
        for path in ["/processes/safe", "/processes/safe?dry_run=true"] {
            let answer = house.api("PUT", path).token(&edit).yaml(changed).send().await;
            assert_eq!((answer.status, answer.json()["code"].clone()), (403, json!("denied")), "{case}");
            assert!(answer.text.contains(why), "{case}: {}", answer.text);
        }
    }
    // More secrets, or fewer that are shared, are anybody's to make who edits.
    let closed = text.replace("secret: true, shared: true", "secret: true");
    let closed = closed.replace(key, &format!("{key}  code: {{secret: true}}\n"));
    house.api("PUT", "/processes/safe").token(&edit).yaml(&closed).send().await.ok(200);
    for (case, changed, _) in &shows {
        let answer = house.api("PUT", "/processes/safe").token(&secrets).yaml(changed).send().await;
        assert_eq!(answer.status, 200, "{case}: {}", answer.text);
        house.deploy(text).await;
    }
}

#[tokio::test]
async fn a_lease_wants_the_right_to_run() {
    let house = House::open().await;
    let text = "process: keeper
params:
  token: {type: string, expiry: {at: dies}}
  dies: {type: integer}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, next: renew}
  renew: {kind: set, set: {token: new, dies: \"= now + 3600\"}, next: rest}
";
    house.deploy(text).await;
    house.submit("keeper", "one", json!({"token": "old", "dies": 1_000})).await;
    let path = "/processes/keeper/tasks/one/params/token";
    let reader = house.token("reader", &["read"], None).await;
    let lease = format!("{path}?fresh_for=10m&wait=10s");
    let answer = house.api("GET", &lease).token(&reader).send().await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (403, json!("denied")), "{}", answer.text);
    assert!(answer.text.contains("`run`"), "{}", answer.text);
    let seen = house.api("GET", path).token(&reader).send().await;
    assert_eq!((seen.status, seen.text.as_str()), (200, "old"), "and nothing was woken");
    let runner = house.token("runner", &["read", "run"], None).await;
    let leased = house.api("GET", &lease).token(&runner).send().await;
    assert_eq!((leased.status, leased.text.as_str()), (200, "new"));
}
