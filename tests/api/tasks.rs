//! Submitting tasks and looking at them.

use serde_json::{Value, json};

use crate::corpora::naughty_strings;
use crate::support::house::{House, task_path};

pub(super) const HOLD: &str = r#"
process: hold
title: A task that waits
params:
  city: {type: string, required: true, about: Where, example: Riga}
  count: {type: integer, default: 1}
  key: {type: string, secret: true}
limits: {tasks: 5}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, title: Resting, link: true, accept: {approved: {}}, next: judge}
  judge: {kind: condition, branches: [{when: "approved == 'no'", next: bad}], else: good}
  good: {kind: end, result: {city: "{{city}}", seen: '{{key ?? ""}}'}}
  bad: {kind: end, ok: false}
"#;

#[tokio::test]
async fn a_task_is_taken_in_and_can_be_looked_at() {
    let house = House::open().await;
    let report = house.deploy(HOLD).await;
    assert_eq!((report["created"].as_bool(), report["changed"].as_bool()), (Some(true), Some(true)));
    let body = json!({"ref": "one", "params": {"city": "Riga", "key": "s3cret-value"}});
    let answer = house.api("POST", "/processes/hold/tasks").json(&body).send().await;
    let task = answer.ok(201);
    assert_eq!(answer.header("location"), "/api/v1/processes/hold/tasks/one");
    assert_eq!(answer.header("etag"), format!("\"{}\"", task["revision"]));
    assert_eq!(task["state"], "waiting");
    assert_eq!(task["node"], "rest");
    assert_eq!(task["title"], "Resting");
    assert_eq!(task["params"], json!({"city": "Riga", "key": "***", "count": 1}));
    assert_eq!(house.api("GET", &task_path("hold", "one")).send().await.ok(200), task);
    let list = house.api("GET", "/processes/hold/tasks").send().await.ok(200);
    assert_eq!(list, json!({"items": [task], "next": null}));
    let history = house.api("GET", "/processes/hold/tasks/one/history").send().await.ok(200);
    assert_eq!(history["items"][0]["node"], "start");
    assert_eq!(history["items"][0]["to"], "rest");
}

#[tokio::test]
async fn a_name_is_taken_by_one_task_at_a_time() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let first = house.submit("hold", "one", json!({"city": "Riga"})).await;
    let path = "/processes/hold/tasks";
    let body = json!({"ref": "one", "params": {"city": "Oslo"}});
    let taken = house.api("POST", path).json(&body).send().await.problem(409, "ref_taken");
    let clash =
        json!({"process": "hold", "ref": "one", "id": first["id"], "state": "waiting", "node": "rest"});
    assert_eq!(taken["task"], clash);
    let body = json!({"ref": "one", "params": {"city": "Oslo"}, "if_exists": "return"});
    assert_eq!(house.api("POST", path).json(&body).send().await.ok(200), first);
    let body = json!({"ref": "one", "params": {"city": "Oslo"}, "if_exists": "modify"});
    let modified = house.api("POST", path).json(&body).send().await.ok(200);
    assert_eq!((&modified["id"], &modified["params"]["city"]), (&first["id"], &json!("Oslo")));
    house.api("POST", &format!("{path}/one/cancel")).send().await.ok(200);
    let second = house.submit("hold", "one", json!({"city": "Rome"})).await;
    assert_ne!(second["id"], first["id"]);
    assert_eq!(house.api("GET", &format!("{path}/one")).send().await.ok(200)["params"]["city"], "Rome");
    let old = format!("{path}/one?id={}", first["id"].as_str().unwrap());
    assert_eq!(house.api("GET", &old).send().await.ok(200)["state"], "cancelled");
}

#[tokio::test]
async fn a_submit_repeated_with_its_key_is_the_same_task() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    house.deploy(&HOLD.replace("process: hold", "process: other")).await;
    let body = json!({"params": {"city": "Riga"}});
    let submit = |process: &str, key: &str| {
        house
            .api("POST", &format!("/processes/{process}/tasks"))
            .header("idempotency-key", key)
            .json(&body)
            .send()
    };
    let first = submit("hold", "k1").await.ok(201);
    assert_eq!(submit("hold", "k1").await.ok(200), first);
    assert_ne!(submit("hold", "k2").await.ok(201)["id"], first["id"]);
    assert_ne!(submit("other", "k1").await.ok(201)["id"], first["id"]);
    let token = house.token("ann", &["run"], None).await;
    let hers =
        house.api("POST", "/processes/hold/tasks").token(&token).header("idempotency-key", "k1").json(&body);
    assert_ne!(hers.send().await.ok(201)["id"], first["id"], "a key is one person's");
    let body = json!({"ref": "another", "params": {"city": "Riga"}});
    let mixed = house.api("POST", "/processes/hold/tasks").header("idempotency-key", "k1").json(&body);
    mixed.send().await.problem(422, "idempotency_mismatch");
    let keyed = |body: &Value| {
        house.api("POST", "/processes/hold/tasks").header("idempotency-key", "k3").json(body).send()
    };
    let named = json!({"ref": "named", "params": {"city": "Riga", "more": {"a": 1, "b": [2]}}});
    let first = keyed(&named).await.ok(201);
    let turned = json!({"params": {"more": {"b": [2], "a": 1}, "city": "Riga"}, "ref": "named"});
    assert_eq!(keyed(&turned).await.ok(200), first, "the order of members means nothing");
    for (place, value) in [("city", json!("Oslo")), ("more", json!({"a": 1})), ("count", json!(1))] {
        let mut other = named.clone();
        other["params"][place] = value;
        let told = keyed(&other).await.problem(422, "idempotency_mismatch").to_string();
        assert!(told.contains("`named`"), "{told}");
    }
    assert_eq!(keyed(&named).await.ok(200)["params"]["city"], "Riga", "and nothing has changed");
    submit("hold", &"k".repeat(256)).await.problem(422, "bad_idempotency_key");
}

#[tokio::test]
async fn many_lines_repeated_with_their_key_are_the_same_tasks() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let submit = async |key: &str, lines: &str| {
        let call = house.api("POST", "/processes/hold/tasks").header("idempotency-key", key);
        let answer = call.body("application/x-ndjson", lines).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text.lines().map(|it| serde_json::from_str(it).unwrap()).collect::<Vec<Value>>()
    };
    let (riga, bern) = (r#"{"params": {"city": "Riga"}}"#, r#"{"ref": "b", "params": {"city": "Bern"}}"#);
    let lines = format!("{riga}\n{bern}\n{riga}\n");
    let first = submit("k", &lines).await;
    assert_ne!(first[0]["id"], first[2]["id"], "equal lines are two tasks");
    assert_eq!(submit("k", &lines).await, first, "the same lines again are the same tasks");
    let other = submit("k", &lines.replacen("Riga", "Oslo", 1)).await;
    assert_eq!(other[0]["error"]["code"], "idempotency_mismatch", "{other:?}");
    assert_eq!(other[1..], first[1..]);
    let anew = submit("l", "{\"params\": {\"city\": \"Riga\"}}\n").await;
    assert_ne!(anew[0]["id"], first[0]["id"]);
    let alone = house.api("POST", "/processes/hold/tasks").header("idempotency-key", "k");
    alone.json(&json!({"params": {"city": "Riga"}})).send().await.ok(201);
    let long = house.api("POST", "/processes/hold/tasks").header("idempotency-key", &"k".repeat(256));
    let long = long.body("application/x-ndjson", "{}\n").send().await;
    assert!(long.text.contains("bad_idempotency_key"), "{}", long.text);
}

#[tokio::test]
async fn params_are_checked_and_a_full_process_takes_no_more() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let path = "/processes/hold/tasks";
    let body = json!({"params": {"count": "many", "now": 1}});
    let wrong = house.api("POST", path).json(&body).send().await.problem(422, "invalid_params");
    let names: Vec<&str> =
        wrong["fields"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    for name in ["city", "count", "now"] {
        assert!(names.contains(&name), "{wrong}");
    }
    let body = json!({"params": {"city": "x".repeat(300_000)}});
    house.api("POST", path).json(&body).send().await.problem(422, "invalid_params");
    let body = json!({"params": {"city": "x".repeat(5_000_000)}});
    house.api("POST", path).json(&body).send().await.problem(413, "body_too_large");
    for n in 0..5 {
        house.submit("hold", &format!("t{n}"), json!({"city": "Riga"})).await;
    }
    let body = json!({"params": {"city": "Riga"}});
    let full = house.api("POST", path).json(&body).send().await;
    full.problem(429, "too_many_tasks");
    assert_eq!(full.header("retry-after"), "1");
    house.api("POST", &format!("{path}/t0/cancel")).send().await.ok(200);
    house.api("POST", path).json(&body).send().await.ok(201);
}

#[tokio::test]
async fn a_submit_can_wait_for_the_end() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let path = "/processes/hold/tasks";
    let submit = |wait: &str, name: &str| {
        let body = json!({"ref": name, "params": {"city": "Riga"}});
        house.api("POST", &format!("{path}?wait={wait}")).json(&body).send()
    };
    let still = submit("20ms", "slow").await.ok(201);
    assert_eq!(still["state"], "waiting");
    let approve = async {
        house.until(&format!("{path}/quick"), |task| task["state"] == "waiting").await;
        let body = json!({"params": {"approved": "yes"}});
        house.api("POST", &format!("{path}/quick/modify")).json(&body).send().await
    };
    let (ended, _) = tokio::join!(submit("30s", "quick"), approve);
    let ended = ended.ok(201);
    assert_eq!((&ended["state"], &ended["result"]["city"]), (&json!("done"), &json!("Riga")));
    submit("soon", "x").await.problem(422, "bad_query");
}

#[tokio::test]
async fn many_are_taken_in_at_once_and_answered_in_order() {
    let house = House::open().await;
    house.deploy(&HOLD.replace("limits: {tasks: 5}", "limits: {tasks: 100000}")).await;
    let mut lines: Vec<String> =
        (0..3_000).map(|n| json!({"ref": format!("t{n}"), "params": {"city": "Riga"}}).to_string()).collect();
    lines[7] = json!({"ref": "t3", "params": {"city": "Riga"}}).to_string();
    lines[8] = "{\"ref\": ".to_owned();
    lines[9] = json!({"ref": "t9", "params": {}}).to_string();
    lines[10] = json!({"reff": "t10"}).to_string();
    lines.insert(11, String::new());
    let many = house.api("POST", "/processes/hold/tasks").body("application/x-ndjson", lines.join("\n"));
    let answer = many.send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"));
    let answers: Vec<Value> = answer.text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(answers.len(), 3_000);
    for (n, answer) in answers.iter().enumerate() {
        let code = match n {
            3 | 7 => continue,
            8 => "bad_json",
            9 => "invalid_params",
            10 => "bad_shape",
            _ => {
                assert_eq!((&answer["ref"], &answer["state"]), (&json!(format!("t{n}")), &json!("waiting")));
                continue;
            }
        };
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    let taken = [&answers[3], &answers[7]].iter().filter(|it| it["error"]["code"] == "ref_taken").count();
    assert_eq!(taken, 1, "one of two with one name is taken in");
    assert_eq!(answers[10]["error"]["hint"], "did you mean `ref`?");
    let whole = house.api("GET", "/processes/hold").send().await.ok(200);
    assert_eq!(whole["live"], 2_996);
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let house = House::open().await;
    house.deploy(&HOLD.replace("tasks: 5}", "tasks: 500}")).await;
    for n in 0..25 {
        house.submit("hold", &format!("t{n:02}"), json!({"city": "Riga"})).await;
    }
    house.api("POST", "/processes/hold/tasks/t05/cancel").send().await.ok(200);
    for path in ["/processes/hold/tasks?limit=10", "/tasks?process=hold&limit=10", "/tasks?limit=10"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.api("GET", &format!("{path}{cursor}")).send().await.ok(200);
            let refs =
                page["items"].as_array().unwrap().iter().map(|it| it["ref"].as_str().unwrap().to_owned());
            seen.extend(refs);
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let all: Vec<String> = (0..25).map(|n| format!("t{n:02}")).collect();
        assert_eq!(seen, all, "{path}");
    }
    let count = async |query: &str| {
        let page = house.api("GET", &format!("/processes/hold/tasks?{query}")).send().await.ok(200);
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count("state=cancelled").await, 1);
    assert_eq!(count("state=waiting&node=rest").await, 24);
    assert_eq!(count("ref=t1").await, 10);
    for bad in ["limit=0", "limit=501"] {
        house.api("GET", &format!("/tasks?{bad}")).send().await.problem(422, "bad_limit");
    }
    house.api("GET", "/tasks?cursor=x").send().await.problem(422, "bad_cursor");
    let bad = house.api("GET", "/tasks?state=wating").send().await.problem(422, "bad_query");
    assert_eq!(bad["hint"], "did you mean `waiting`?");
    let bad = house.api("GET", "/tasks?stat=waiting").send().await.problem(422, "bad_query");
    assert_eq!(bad["hint"], "did you mean `state`?");
    house.api("GET", "/tasks?limit=ten").send().await.problem(422, "bad_query");
}

#[tokio::test]
async fn one_param_is_read_by_its_path() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let params = json!({
        "city": "Riga", "key": "s3cret-value", "deep": {"list": [{"x": 1}]}, "a.b": "dots",
        "copy": "=s3cret-value="
    });
    house.submit("hold", "one", params).await;
    let read =
        async |path: &str| house.api("GET", &format!("/processes/hold/tasks/one/params/{path}")).send().await;
    let city = read("city").await;
    assert_eq!((city.text.as_str(), city.header("content-type")), ("Riga", "text/plain; charset=utf-8"));
    for (path, value) in [("deep/list/0/x", "1"), ("deep.list.0.x", "1"), ("deep", "{\"list\":[{\"x\":1}]}")]
    {
        let deep = read(path).await;
        assert_eq!((deep.text.as_str(), deep.header("content-type")), (value, "application/json"));
    }
    assert_eq!(read("a.b").await.text, "dots");
    assert_eq!(read("key").await.text, "s3cret-value", "the operator may");
    for missing in ["nothing", "city/x", "deep/list/1", "deep/list/x"] {
        read(missing).await.problem(404, "no_such_param");
    }
    let token = house.token("ann", &["read"], None).await;
    for secret in ["key", "copy"] {
        let path = format!("/processes/hold/tasks/one/params/{secret}");
        house.api("GET", &path).token(&token).send().await.problem(403, "denied");
    }
    let audit = house.api("GET", "/audit").send().await.ok(200);
    let read = json!({"by": "local", "did": "secret.read", "to": "hold/one key"});
    let lines = audit["items"].as_array().unwrap().iter();
    let said = |it: &Value| json!({"by": it["by"], "did": it["did"], "to": it["to"]});
    assert!(lines.map(said).any(|it| it == read), "{audit}");
}

#[tokio::test]
async fn whatever_is_a_name_comes_back_as_it_was() {
    let house = House::open().await;
    house.deploy(&HOLD.replace("tasks: 5}", "tasks: 5000}")).await;
    let mut names: Vec<String> = naughty_strings();
    names.extend(
        ["a/b", "..", ".", "%2F", "%", "?x=1", "#", "a b", "history", "%00", "a%2fb/../c"].map(str::to_owned),
    );
    names.sort();
    names.dedup();
    for name in names {
        let body = json!({"ref": name, "params": {"city": name}});
        let answer = house.api("POST", "/processes/hold/tasks").json(&body).send().await;
        let bad = name.is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control);
        // An HTTP client takes dots for steps, encoded or not.
        if bad || name == "." || name == ".." {
            answer.problem(422, "bad_ref");
            continue;
        }
        let task = answer.ok(201);
        assert_eq!((task["ref"].as_str(), task["params"]["city"].as_str()), (Some(&*name), Some(&*name)));
        let place = answer.header("location").to_owned();
        let found = house.call("GET", &place).send().await.ok(200);
        assert_eq!(found, task, "{name:?}");
        let city = house.call("GET", &format!("{place}/params/city")).send().await;
        assert_eq!((city.status, city.text.as_str()), (200, &*name));
    }
}
