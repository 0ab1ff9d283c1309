//! Cloning templates.

use serde_json::{Value, json};

use crate::support::call::Answer;
use crate::support::house::{House, Plan};

async fn clone(house: &House, name: &str, body: Value) -> Answer {
    house.api("POST", &format!("/templates/{name}/clone")).json(&body).send().await
}

fn default(process: &Value, param: &str) -> Value {
    let params = process["params"].as_array().unwrap();
    params.iter().find(|it| it["name"] == param).unwrap()["default"].clone()
}

#[tokio::test]
async fn templates_are_built_in_and_tell_what_they_ask() {
    let house = House::open().await;
    let list = house.api("GET", "/templates").send().await.ok(200);
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"bitrix-oauth") && names.contains(&"notify-author"), "{names:?}");
    let one = house.api("GET", "/templates/bitrix-oauth").send().await.ok(200);
    assert!(one["text"].as_str().unwrap().contains("process: bitrix-oauth"));
    assert_eq!(one["params"][0]["name"], "portal");
    let none = house.api("GET", "/templates/bitrix").send().await.problem(404, "no_such_template");
    assert!(none["hint"].as_str().unwrap().contains("bitrix-oauth"));
}

#[tokio::test]
async fn every_template_can_be_cloned_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::build(Plan { processes: Some(folder.path().join("new")), ..Plan::default() }).await;
    let list = house.api("GET", "/templates").send().await.ok(200);
    for (n, template) in list["items"].as_array().unwrap().iter().enumerate() {
        let (name, id) = (template["name"].as_str().unwrap(), format!("clone-{n}"));
        let cloned = clone(&house, name, json!({"as": id, "title": "\"It's\": {mine}"})).await.ok(201);
        let text = std::fs::read_to_string(cloned["path"].as_str().unwrap()).unwrap();
        let first = format!("# from template {name}@{}\n", template["version"].as_str().unwrap());
        assert!(text.starts_with(&first), "{text}");
        let process = house.api("GET", &format!("/processes/{id}")).send().await.ok(200);
        assert_eq!(process["origin"], json!({"template": name, "version": template["version"]}));
        assert_eq!((&process["id"], &process["title"]), (&json!(id), &json!("\"It's\": {mine}")));
    }
}

#[tokio::test]
async fn answers_become_defaults_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::build(Plan { processes: Some(folder.path().to_owned()), ..Plan::default() }).await;
    let values = json!({"portal": "acme: \"x\" #1", "client_id": "local.1"});
    clone(&house, "bitrix-oauth", json!({"as": "bitrix", "values": values})).await.ok(201);
    let process = house.api("GET", "/processes/bitrix").send().await.ok(200);
    assert_eq!(default(&process, "portal"), "acme: \"x\" #1");
    assert_eq!(default(&process, "client_id"), "local.1");
    let values = json!({"message": "hello", "subject": "Changed"});
    clone(&house, "notify-author", json!({"as": "notify", "values": values})).await.ok(201);
    let process = house.api("GET", "/processes/notify").send().await.ok(200);
    assert_eq!(
        (default(&process, "message"), default(&process, "subject")),
        (json!("hello"), json!("Changed"))
    );
    let again = clone(&house, "notify-author", json!({"as": "notify"})).await;
    again.problem(409, "process_exists");
    std::fs::write(folder.path().join("mine.yaml"), "mine").unwrap();
    clone(&house, "notify-author", json!({"as": "mine"})).await.problem(409, "file_exists");
    assert_eq!(std::fs::read_to_string(folder.path().join("mine.yaml")).unwrap(), "mine");
    let secret = json!({"as": "leak", "values": {"client_secret": "x", "nothing": 1}});
    let refused = clone(&house, "bitrix-oauth", secret).await.problem(422, "invalid_params");
    assert_eq!(refused["fields"][0]["code"], "secret_param");
    assert_eq!(refused["fields"][1]["code"], "unknown_param");
    let wrong = json!({"as": "wrong", "values": {"message": 7}});
    clone(&house, "notify-author", wrong).await.problem(422, "problems");
    clone(&house, "notify-author", json!({"as": "../up"})).await.problem(422, "bad_process_id");
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["bitrix.yaml", "mine.yaml", "notify.yaml"], "nothing stays of a clone that failed");
}
