//! The document of the API: what it owes its readers, and that no answer of any test is missing in it.

use std::collections::{BTreeMap, BTreeSet};

use beltline::api::router::described;
use beltline::service::permission::Permission;
use serde_json::Value;

use crate::support::document::{Operation, operations};
use crate::support::house::House;

/// What every reader of the document meets who is let in nowhere.
const EVERYWHERE: [&str; 4] = ["403", "421", "500", "503"];

fn document() -> Value {
    serde_json::to_value(described().1).unwrap()
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_of_the_code() {
    let house = House::open().await;
    let served = house.call("GET", "/api/openapi.json").send().await.ok(200);
    assert_eq!(served, document());
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(served["servers"][0]["url"], "/");
    assert_eq!(served["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    let names = |it: &Value| it.as_array().unwrap().iter().map(|it| it["name"].clone()).collect::<Vec<_>>();
    let tags: BTreeSet<String> = names(&served["tags"]).iter().map(ToString::to_string).collect();
    for it in served["tags"].as_array().unwrap() {
        assert!(it["description"].as_str().unwrap().ends_with('.'), "{it}");
    }
    let used: BTreeSet<String> = operations()
        .iter()
        .flat_map(|it| it.value["tags"].as_array().unwrap().clone())
        .map(|it| it.to_string())
        .collect();
    assert_eq!(used, tags, "each tag is described, and each that is described is used");
}

#[test]
fn every_route_is_described_and_named_once() {
    let mut named = BTreeMap::new();
    for it in operations() {
        let name = it.value["operationId"].as_str().unwrap().to_owned();
        let other = named.insert(name.clone(), it.place());
        assert_eq!(other, None, "`{name}` is `{}` as well", it.place());
        assert!(it.value["summary"].is_string(), "{} says what it does", it.place());
    }
    let doors: BTreeSet<String> =
        described().2.list().iter().map(|it| place(it.method.as_str(), &it.path)).collect();
    let told: BTreeSet<String> = operations().iter().map(Operation::place).collect();
    assert_eq!(told, doors);
}

#[test]
fn every_answer_has_a_description_and_every_error_is_a_problem() {
    for it in operations() {
        for (status, answer) in it.responses() {
            let place = it.place();
            assert!(!answer["description"].as_str().unwrap_or_default().is_empty(), "{place} {status}");
            let is_error = status == "default" || status.starts_with(['4', '5']);
            let problem = &answer["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(is_error, problem == "#/components/schemas/Problem", "{place} {status}: {answer}");
            assert_eq!(status == "204", answer["content"].is_null(), "{place} {status}: {answer}");
        }
    }
}

#[test]
fn every_part_of_a_path_is_declared_and_nothing_else_is_said_to_be_one() {
    for it in operations() {
        let parts: BTreeSet<&str> =
            it.path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let params = it.value["parameters"].as_array().cloned().unwrap_or_default();
        let in_path: BTreeSet<&str> =
            params.iter().filter(|it| it["in"] == "path").map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(in_path, parts, "{}", it.place());
        let all: BTreeSet<String> = params.iter().map(|it| format!("{} {}", it["in"], it["name"])).collect();
        assert_eq!(all.len(), params.len(), "{} names one twice", it.place());
        for one in &params {
            assert!(one["description"].is_string(), "{}: {one}", it.place());
            assert_eq!(one["required"] == true, one["in"] == "path", "{}: {one}", it.place());
        }
    }
}

/// What the layers before the handlers answer, and what handlers take, can be told from the form of a route.
#[test]
fn every_route_says_whom_it_lets_in_and_what_it_refuses() {
    let all = operations();
    for door in described().2.list() {
        let at = place(door.method.as_str(), &door.path);
        let it = all.iter().find(|it| it.place() == at).unwrap();
        let said: BTreeSet<String> = it.responses().into_keys().collect();
        let owes = |status: &str, why: &str| assert!(said.contains(status), "{at} owes {status}: {why}");
        for status in EVERYWHERE {
            owes(status, "every route gives it");
        }
        let is_open = matches!(door.permission, Permission::Nothing | Permission::Key);
        assert_eq!(it.value["security"], if is_open { serde_json::json!([]) } else { Value::Null }, "{at}");
        if !is_open {
            owes("401", "a token is asked for");
        }
        if it.path.contains('{') {
            owes("400", "a path may not be text");
            owes("404", "nothing may be there");
        }
        let params = it.value["parameters"].as_array().cloned().unwrap_or_default();
        if params.iter().any(|it| it["in"] != "path") {
            owes("422", "a query or a header may not be taken");
        }
        if let Some(kinds) = it.value["requestBody"]["content"].as_object() {
            for status in ["400", "413", "422"] {
                owes(status, "it takes a body");
            }
            if kinds.contains_key("application/json") {
                owes("415", "the body may be of another kind");
            }
        }
    }
}

#[test]
fn every_schema_that_is_referred_to_is_there() {
    let document = document();
    let text = document.to_string();
    for name in text.split("\"#/").skip(1).map(|it| it.split('"').next().unwrap()) {
        assert!(document.pointer(&format!("/{name}")).is_some(), "{name} is described");
    }
}

fn place(method: &str, path: &str) -> String {
    format!("{method} {}", path.replace("{*", "{"))
}
