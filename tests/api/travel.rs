//! A secret stays one wherever it goes: into other params, other tasks, replies, results and messages, in any
//! form, and after the secret itself has changed.

use std::sync::atomic::{AtomicU64, Ordering};

use beltline::model::taint::BLIND;
use serde_json::{Value, json};

use crate::support::house::{House, OPERATOR, task_path};

const TOKEN: &str = "canary-9f8e7d6c5b4a";
const PIN: u64 = 48_151_623;
/// What of the token is copied without being like it.
const HALF: &str = "y-9f8e7d";

const KEEPER: &str = "
process: keeper
params:
  token: {type: string, secret: true, shared: true}
  pin: {type: integer, secret: true, shared: true}
  open: {type: string}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, next: done}
  done: {kind: end}
";

/// Replies with what it was given.
const HELPER: &str = "
process: helper
nodes:
  start: {kind: input, next: answer}
  answer: {kind: reply, values: {back: \"{{given}}\", plain: hello}, next: done}
  done: {kind: end, result: {got: \"{{given}}\", by: [\"helper\"]}}
";

const COLLECTION: &str = "
process: collection
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, next: again}
  again: {kind: set, set: {copy: \"{{left ?? 1}}\"}, next: rest}
  rest: {kind: wait, next: done}
  done: {kind: end}
";

const TAKER: &str = "
process: taker
nodes:
  start: {kind: input, next: take}
  take:
    kind: set
    set:
      copy: \"{{conv[keeper].ref[t].token}}\"
      said: \"Bearer {{conv[keeper].ref[t].token}}!\"
      coded: \"= conv('keeper', 't').token|base64\"
      text: \"{{#if conv[keeper].ref[t].open}}{{base64 conv[keeper].ref[t].token}}{{/if}}\"
      pin: \"{{conv[keeper].ref[t].pin}}\"
      more: \"= conv('keeper', 't').pin + 1\"
      all: \"{{conv[keeper].ref[t]}}\"
      list: [plain, \"{{conv[keeper].ref[t].token}}\"]
      upper: \"= conv('keeper', 't').token|upper\"
      half: \"= conv('keeper', 't').token[5:13]\"
      keyed: \"= {conv('keeper', 't').token: 1}\"
      has: \"= conv('keeper', 't').token is defined\"
      long: \"= 'long' if conv('keeper', 't').token|length > 3 else 'short'\"
      chosen: \"{{#if conv[keeper].ref[t].token}}there{{/if}}\"
    next: ask
  ask:
    kind: call
    process: helper
    ref: h
    params: {given: \"{{half}}\"}
    save: {back: \"= response.body.back\", plain: \"= response.body.plain\", whole: \"= response.body\"}
    next: many
  many:
    kind: each
    items: [\"{{half}}\", open]
    process: helper
    ref: \"each-{{index}}\"
    params: {given: \"{{item}}\"}
    save: {replies: \"= response.body\", backs: \"= response.body|map(attribute='back')|list\"}
    next: post
  post: {kind: send, process: collection, ref: s, mode: modify, params: {left: \"{{half}}\"}, next: say}
  say: {kind: notify, message: \"it is {{half}}, {{long}}\", notify: {call: bell}, next: tell}
  tell:
    kind: notify
    message: \"it is {{half}}, {{copy}}\"
    reveal: [half]
    notify: {call: tower}
    next: fall
  fall: {kind: raise, code: gone, message: \"not {{half}} for {{long}}\", on_error: named}
  named: {kind: call, process: helper, ref: \"r-{{half}}\", next: rest, on_error: rest}
  rest: {kind: wait, link: \"https://example.org/{{half}}\", next: done}
  done: {kind: end, result: {half: \"{{half}}\", open: \"{{plain}}\"}}
";

const BELL: &str = "
process: bell
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, next: done}
  done: {kind: end}
";

/// A house in which the token has gone everywhere.
async fn travelled() -> House {
    let house = House::open().await;
    for text in [KEEPER, HELPER, COLLECTION, BELL, &BELL.replace("bell", "tower"), TAKER] {
        house.deploy(text).await;
    }
    house.submit("keeper", "t", json!({"token": TOKEN, "pin": PIN, "open": "yes"})).await;
    house.submit("collection", "s", json!({})).await;
    house.submit("taker", "x", json!({})).await;
    house.until(&task_path("taker", "x"), |it| it["node"] == "rest").await;
    house.until(&task_path("collection", "s"), |it| it["node"] == "rest").await;
    house
}

/// All that a person sees of all tasks.
async fn seen(house: &House) -> Vec<String> {
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    let mut all = Vec::new();
    let name = format!("looker-{}", LOOKS.fetch_add(1, Ordering::Relaxed));
    let reader = house.token(&name, &["read", "run"], None).await;
    let get = |path: &str| house.api("GET", path).token(&reader).send();
    let tasks = get("/tasks?limit=500").await;
    for task in tasks.ok(200)["items"].as_array().unwrap() {
        let path = task_path(task["process"].as_str().unwrap(), task["ref"].as_str().unwrap());
        all.push(get(&path).await.text);
        all.push(get(&format!("{path}/history")).await.text);
    }
    all.push(tasks.text);
    all
}

/// The forms in which the canaries can be seen.
fn canaries() -> Vec<String> {
    let pins = [PIN.to_string(), (PIN + 1).to_string()];
    let coded = "Y2FuYXJ5LTlmOGU3ZDZjNWI0YQ";
    let mut all = vec![TOKEN.to_owned(), TOKEN.to_uppercase(), HALF.to_owned(), coded.to_owned()];
    all.extend(pins);
    all
}

async fn assert_none(house: &House, when: &str) {
    for text in seen(house).await {
        for canary in canaries() {
            assert!(!text.contains(&canary), "{when}: {canary} in {text}");
        }
    }
}

#[tokio::test]
async fn a_secret_that_went_to_other_tasks_is_seen_nowhere_and_never() {
    let house = travelled().await;
    assert_none(&house, "at first").await;
    let rotated = json!({"params": {"token": "another-0123456789", "pin": 99_887_766}});
    house.api("POST", "/processes/keeper/tasks/t/modify").json(&rotated).send().await.ok(200);
    assert_none(&house, "after the rotation").await;
    let taker = house.api("GET", "/processes/taker/tasks/x").send().await.ok(200);
    let params = &taker["params"];
    assert_eq!(params["list"], json!(["plain", "***"]), "only what is secret is masked");
    assert_eq!(
        (&params["has"], &params["long"], &params["chosen"]),
        (&json!(true), &json!("long"), &json!("there"))
    );
    assert_eq!((&params["plain"], &params["back"]), (&json!("hello"), &json!("***")));
    assert_eq!(params["whole"], json!({"back": "***", "plain": "hello"}));
    assert_eq!(params["all"], json!({"token": "***", "pin": "***", "open": "yes"}));
    let replies = json!([{"back": "***", "plain": "hello"}, {"back": "open", "plain": "hello"}]);
    assert_eq!(params["replies"], replies);
    assert_eq!((&params["backs"], &params["keyed"]), (&json!("***"), &json!("***")));
    assert_eq!(taker["fault"]["code"], "secret_misplaced", "a ref is no place for a secret: {taker}");
    house.api("POST", "/processes/taker/tasks/x/wake").send().await.ok(200);
    let taker = house.api("GET", "/processes/taker/tasks/x").send().await.ok(200);
    assert_eq!(taker["result"], json!({"half": "***", "open": "hello"}));
    assert_none(&house, "at the end").await;
}

#[tokio::test]
async fn only_who_may_read_secrets_gets_what_was_made_of_one() {
    let house = travelled().await;
    let reader = house.token("reader", &["read", "run"], None).await;
    let keeper = house.token("keeper", &["read", "run", "secrets"], None).await;
    let get = |path: &str, token: &str| house.api("GET", path).token(token).send();
    for path in ["half", "said", "list", "list/1", "all/token", "all", "replies/0/back", "more"] {
        let path = format!("/processes/taker/tasks/x/params/{path}");
        get(&path, &reader).await.problem(403, "denied");
        assert_eq!(get(&path, &keeper).await.status, 200, "{path}");
    }
    for path in ["list/0", "all/open", "long", "replies/1"] {
        let path = format!("/processes/taker/tasks/x/params/{path}");
        assert_eq!(get(&path, &reader).await.status, 200, "{path}");
    }
    let half = |process: &'static str, reference: &'static str, name: &'static str| {
        get_text(&house, format!("/processes/{process}/tasks/{reference}/params/{name}"))
    };
    assert_eq!(half("taker", "x", "half").await, HALF);
    assert_eq!(half("collection", "s", "copy").await, HALF);
    let task = get("/processes/taker/tasks/x", &reader).await.ok(200);
    assert_eq!(task["link"], Value::Null, "a link made of a secret is one");
    let task = get("/processes/taker/tasks/x", &keeper).await.ok(200);
    assert_eq!(task["link"], format!("https://example.org/{HALF}"));
    for found in [format!("half={HALF}"), "said~bearer".to_owned(), "all~canary".to_owned()] {
        let page = house.api("GET", &format!("/processes/taker/tasks?param={found}")).send().await.ok(200);
        assert_eq!(page["items"], json!([]), "{found}");
    }
}

async fn get_text(house: &House, path: String) -> String {
    house.api("GET", &path).token(OPERATOR).send().await.text
}

/// Replies with a piece of the token that is too short to be known by its text.
const GIVER: &str = "
process: giver
nodes:
  start: {kind: input, next: answer}
  answer:
    kind: reply
    values: {short: \"= conv('keeper', 't').token[5:8]\", digit: \"= conv('keeper', 't').pin % 1000\"}
    next: done
  done: {kind: end}
";

/// Holds nothing of the token but what it was replied.
const ASKER: &str = "
process: asker
nodes:
  start: {kind: input, next: ask}
  ask: {kind: call, process: giver, next: many}
  many:
    kind: each
    items: [one]
    process: giver
    save: {all: \"= response.body\"}
    next: rest
  rest: {kind: wait, next: done}
  done: {kind: end}
";

#[tokio::test]
async fn what_is_too_short_to_be_known_by_its_text_is_known_by_its_mark() {
    let house = House::open().await;
    for text in [KEEPER, GIVER, ASKER] {
        house.deploy(text).await;
    }
    house.submit("keeper", "t", json!({"token": TOKEN, "pin": PIN})).await;
    house.submit("asker", "x", json!({})).await;
    let task = house.until(&task_path("asker", "x"), |it| it["node"] == "rest").await;
    let masked = json!({"digit": "***", "short": "***"});
    assert_eq!(task["params"], json!({"digit": "***", "short": "***", "all": [masked]}));
    let reader = house.token("reader", &["read", "run"], None).await;
    for (path, value) in [("short", "y-9"), ("digit", "623"), ("all/0/short", "y-9")] {
        let path = format!("/processes/asker/tasks/x/params/{path}");
        house.api("GET", &path).token(&reader).send().await.problem(403, "denied");
        assert_eq!(get_text(&house, path).await, value);
    }
}

#[tokio::test]
async fn a_message_tells_a_secret_only_where_its_node_reveals_it() {
    let house = travelled().await;
    let said = async |process: &str| {
        let tasks = house.api("GET", &format!("/processes/{process}/tasks")).send().await.ok(200);
        let task = tasks["items"][0].clone();
        let path = task_path(process, task["ref"].as_str().unwrap());
        (task["params"]["message"].clone(), get_text(&house, format!("{path}/params/message")).await)
    };
    assert_eq!(said("bell").await, (json!("it is ***, long"), "it is ***, long".to_owned()));
    assert_eq!(said("tower").await, (json!("***"), format!("it is {HALF}, ***")));
}

#[tokio::test]
async fn without_marks_the_secret_would_be_seen() {
    BLIND.store(true, Ordering::Relaxed);
    let house = travelled().await;
    let all = seen(&house).await.join("\n");
    for canary in [TOKEN, HALF] {
        assert!(all.contains(canary), "{canary}");
    }
    BLIND.store(false, Ordering::Relaxed);
}

const DOORS: &str = "
process: doors
params: {for: {type: string}}
hooks:
  open: {public: true, answer: reply}
  guarded: {check: {header: {name: X-Token, value: \"tok {{secret.shop}}\"}}, answer: reply}
nodes:
  start: {kind: input, next: say}
  say: {kind: reply, values: {key: \"{{conv[keeper].ref[k].token}}\"}, next: done}
  done: {kind: end}
";

#[tokio::test]
async fn a_hook_that_anybody_may_ask_gives_no_secret() {
    let house = House::open().await;
    house.api("PUT", "/secrets/shop").json(&json!({"value": "open-sesame"})).send().await.ok(200);
    // While there is no keeper, nobody knows that it has secrets.
    house.deploy(DOORS).await;
    house.deploy(KEEPER).await;
    house.submit("keeper", "k", json!({"token": TOKEN})).await;
    let body = json!({});
    let answer = house.call("POST", "/hooks/doors/open").token("").json(&body).send().await;
    assert!(answer.status == 500 && !answer.text.contains(TOKEN), "{}", answer.text);
    assert!(answer.text.contains("secret_misplaced"), "{}", answer.text);
    let guarded = house.call("POST", "/hooks/doors/guarded").token("").header("x-token", "tok open-sesame");
    assert_eq!(guarded.json(&body).send().await.ok(200), json!({"key": TOKEN}));
    let text = DOORS.replace("tok ", "token ");
    let refused = house.api("PUT", "/processes/doors").yaml(&text).send().await.problem(422, "problems");
    let said = refused["problems"][0]["message"].as_str().unwrap();
    assert_eq!(said, "the secret `keeper.token` reaches the answer of the hook open, which is public");
    let text = text.replace("  open: {public: true, answer: reply}\n", "");
    house.deploy(&text).await;
}

#[tokio::test]
async fn a_deploy_says_where_a_secret_goes_that_is_not_declared() {
    let house = House::open().await;
    house.deploy(KEEPER).await;
    let text = "process: taker\nnodes:\n  start: {kind: input, next: take}\n  \
                take: {kind: set, set: {copy: \"{{conv[keeper].ref[t].token}}\"}, next: done}\n  \
                done: {kind: end}\n";
    let report = house.deploy(text).await;
    let wanted = "4:33: the secret `keeper.token` reaches param copy, which is not declared secret; \
                  hint: declare it: `copy: {secret: true}`; it is masked in any case";
    assert_eq!(report["warnings"], json!([wanted]));
    let declared = text.replace("nodes:", "params: {copy: {secret: true}}\nnodes:");
    assert_eq!(house.deploy(&declared).await["warnings"], Value::Null);
}
