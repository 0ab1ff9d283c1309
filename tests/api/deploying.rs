//! Deploying, pausing and deleting processes.

use beltline::engine::ports::{Collection, Record};
use beltline::model::time::Timestamp;
use serde_json::{Value, json};

use crate::api::tasks::HOLD;
use crate::support::house::{House, Plan};

const NEXT: &str = r"
process: hold
params:
  city: {type: string}
nodes:
  begin: {kind: input, next: pause}
  pause: {kind: wait, next: good}
  good: {kind: end}
";

async fn put(house: &House, query: &str, text: &str) -> crate::support::call::Answer {
    house.api("PUT", &format!("/processes/hold{query}")).yaml(text).send().await
}

#[tokio::test]
async fn a_version_takes_the_place_of_the_one_before_and_moves_its_tasks() {
    let house = House::open().await;
    let first = put(&house, "", HOLD).await.ok(201);
    let again = put(&house, "", HOLD).await.ok(200);
    assert_eq!((&again["changed"], &again["version"]), (&json!(false), &first["version"]));
    for n in 0..3 {
        house.submit("hold", &format!("t{n}"), json!({"city": "Riga"})).await;
    }
    let stranded = put(&house, "", NEXT).await.problem(409, "stranded");
    assert_eq!(stranded["stranded"], json!([{"node": "rest", "tasks": 3}]));
    assert!(stranded["hint"].as_str().unwrap().contains("move"));
    put(&house, "?move=rest:nowhere", NEXT).await.problem(422, "bad_move");
    put(&house, "?move=rest", NEXT).await.problem(422, "bad_move");
    let dry = put(&house, "?move=rest:pause&dry_run=true", NEXT).await.ok(200);
    assert_eq!((&dry["changed"], &dry["moved"]), (&json!(true), &json!(3)));
    assert_eq!(house.api("GET", "/processes/hold").send().await.ok(200)["version"], first["version"]);
    let moved = put(&house, "?move=rest:pause", NEXT).await.ok(200);
    assert_eq!((&moved["changed"], &moved["moved"]), (&json!(true), &json!(3)));
    let tasks = house.api("GET", "/processes/hold/tasks").send().await.ok(200);
    for task in tasks["items"].as_array().unwrap() {
        assert_eq!((&task["state"], &task["node"]), (&json!("waiting"), &json!("pause")));
    }
    let versions = house.api("GET", "/processes/hold/versions").send().await.ok(200);
    let names: Vec<&Value> = versions["items"].as_array().unwrap().iter().map(|it| &it["version"]).collect();
    assert_eq!(names.len(), 2);
    let path = format!("/processes/hold/versions/{}", first["version"].as_str().unwrap());
    assert_eq!(house.api("GET", &path).send().await.ok(200)["text"], HOLD);
    house.api("GET", "/processes/hold/versions/none").send().await.problem(404, "not_found");
}

#[tokio::test]
async fn a_text_with_problems_changes_nothing_and_all_are_told() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let bad = HOLD.replace("next: judge", "next: jugde").replace("kind: end,", "kind: ende,");
    let told = put(&house, "", &bad).await.problem(422, "problems");
    assert!(told["problems"].as_array().unwrap().len() >= 2, "{told}");
    assert!(told["problems"][0]["line"].as_u64().unwrap() > 1);
    assert!(told["text"].as_str().unwrap().contains("jugde"));
    put(&house, "", &HOLD.replace("process: hold", "process: other")).await.problem(422, "wrong_process");
    house.api("PUT", "/processes/Hold").yaml(HOLD).send().await.problem(404, "no_such_process");
    put(&house, "?dryrun=true", HOLD).await.problem(422, "bad_query");
    let checked = house.api("POST", "/check").yaml(&bad).send().await.ok(200);
    assert_eq!(checked["problems"].as_array().unwrap().len(), told["problems"].as_array().unwrap().len());
    assert_eq!(house.api("POST", "/check").yaml(HOLD).send().await.ok(200)["problems"], json!([]));
    let near = house.api("GET", "/processes/holt").send().await.problem(404, "no_such_process");
    assert_eq!(near["hint"], "did you mean `hold`?");
}

#[tokio::test]
async fn a_process_can_rest_and_a_restart_keeps_everything() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    house.submit("hold", "before", json!({"city": "Riga"})).await;
    assert_eq!(house.api("POST", "/processes/hold/pause").send().await.ok(200)["paused"], true);
    let parked = house.submit("hold", "during", json!({"city": "Riga"})).await;
    assert_eq!((&parked["state"], &parked["node"]), (&json!("ready"), &json!("start")));
    let token = house.token("ann", &["read"], None).await;
    let store = house.close().await;
    let house = House::build(Plan { store, ..Plan::default() }).await;
    let process = house.api("GET", "/processes/hold").token(&token).send().await.ok(200);
    assert_eq!((&process["paused"], &process["live"]), (&json!(true), &json!(2)));
    house.api("POST", "/processes/hold/resume").send().await.ok(200);
    house.until("/processes/hold/tasks/during", |task| task["node"] == "rest").await;
    for n in 0..3 {
        house.submit("hold", &format!("t{n}"), json!({"city": "Riga"})).await;
    }
    let body = json!({"params": {"city": "Riga"}});
    let full = house.api("POST", "/processes/hold/tasks").json(&body).send().await;
    full.problem(429, "too_many_tasks");
}

#[tokio::test]
async fn moves_that_a_crash_interrupted_are_finished_at_the_next_start() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    for n in 0..3 {
        house.submit("hold", &format!("t{n}"), json!({"city": "Riga"})).await;
    }
    let store = house.close().await;
    // What is kept between the commit of a version and the first letter.
    let (version, at) = (beltline::process::parse::version(NEXT), Timestamp(0));
    let process =
        json!({"version": version, "by": "ann", "at": at, "moves": {"rest": "pause", "start": "begin"}});
    let text = json!({"text": NEXT, "by": "ann", "at": at});
    let record = |collection, name: String, value| Record { collection, name, value, at };
    let records = vec![
        record(Collection::Process, "hold".to_owned(), process),
        record(Collection::Version, format!("hold@{version}"), text),
    ];
    store.put(records).await.unwrap();
    let house = House::build(Plan { store, ..Plan::default() }).await;
    for n in 0..3 {
        let task = house.until(&format!("/processes/hold/tasks/t{n}"), |it| it["node"] == "pause").await;
        assert_eq!(task["state"], "waiting");
    }
    let woken = house.api("POST", "/processes/hold/tasks/t0/wake").send().await;
    assert!([200, 202].contains(&woken.status), "{}", woken.text);
    house.until("/processes/hold/tasks/t0", |it| it["state"] == "done").await;
}

#[tokio::test]
async fn a_process_is_deleted_with_its_ended_tasks_and_not_while_one_lives() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    house.submit("hold", "one", json!({"city": "Riga"})).await;
    house.api("DELETE", "/processes/hold").send().await.problem(409, "process_has_tasks");
    assert_eq!(house.api("GET", "/processes/hold/tasks/one").send().await.ok(200)["state"], "waiting");
    house.api("POST", "/processes/hold/tasks/one/cancel").send().await.ok(200);
    house.api("DELETE", "/processes/hold").send().await.ok(204);
    house.api("GET", "/processes/hold").send().await.problem(404, "no_such_process");
    house.api("GET", "/processes/hold/tasks/one").send().await.problem(404, "no_such_process");
    assert_eq!(house.api("GET", "/tasks").send().await.ok(200)["items"], json!([]));
    let store = house.close().await;
    let house = House::build(Plan { store, ..Plan::default() }).await;
    assert_eq!(house.api("GET", "/processes").send().await.ok(200)["items"], json!([]));
}

#[tokio::test]
async fn a_process_has_a_picture_and_a_list_without_nodes() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let graph =
        async |format: &str| house.api("GET", &format!("/processes/hold/graph?format={format}")).send().await;
    assert_eq!(graph("svg").await.header("content-type"), "image/svg+xml");
    assert!(graph("mermaid").await.text.starts_with("flowchart"));
    assert!(graph("json").await.json().is_object());
    graph("png").await.problem(422, "bad_query");
    let list = house.api("GET", "/processes").send().await.ok(200);
    assert!(list["items"][0].get("nodes").is_none());
    let one = house.api("GET", "/processes/hold").send().await.ok(200);
    assert_eq!(one["nodes"][1], json!({"name": "rest", "kind": "wait", "title": "Resting", "about": ""}));
    assert_eq!(one["params"][0]["type"], "string");
    assert!(house.api("GET", "/schema").send().await.ok(200)["properties"].is_object());
}

#[tokio::test]
async fn files_are_deployed_and_an_untouched_one_undoes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hold.yaml");
    std::fs::write(&file, HOLD).unwrap();
    std::fs::write(folder.path().join("bad.yaml"), "process: bad\nnodes: {}\n").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no process").unwrap();
    let house = House::open().await;
    let results = house.service.deploy_folder(folder.path()).await.unwrap();
    assert_eq!(results.iter().map(|it| it.result.is_ok()).collect::<Vec<_>>(), [false, true]);
    let status = house.api("GET", "/status").send().await.ok(200);
    assert_eq!(status["problems"][0]["process"], "bad");
    assert_eq!(house.api("POST", "/processes/hold/pause").send().await.ok(200)["problems"], Value::Null);
    let later = HOLD.replace("title: A task that waits", "title: Changed by hand");
    put(&house, "", &later).await.ok(200);
    let untouched = house.service.deploy_file(&file).await.unwrap();
    assert!(!untouched.changed);
    assert_eq!(house.api("GET", "/processes/hold").send().await.ok(200)["title"], "Changed by hand");
    std::fs::write(&file, HOLD.replace("kind: end", "kind: ent")).unwrap();
    house.service.deploy_file(&file).await.unwrap_err();
    let shown = house.api("GET", "/processes/hold").send().await.ok(200);
    assert!(shown["problems"][0]["message"].as_str().unwrap().contains("ent"), "{shown}");
    assert_eq!(shown["paused"], true);
    std::fs::write(&file, HOLD).unwrap();
    house.service.deploy_file(&file).await.unwrap();
    assert_eq!(house.api("GET", "/processes/hold").send().await.ok(200)["problems"], Value::Null);
}
