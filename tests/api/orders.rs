//! Orders of a person.

use serde_json::json;

use crate::api::tasks::HOLD;
use crate::support::house::House;

#[tokio::test]
async fn modify_changes_a_task_that_is_still_the_one_looked_at() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let task = house.submit("hold", "one", json!({"city": "Riga"})).await;
    let modify = |tag: &str, city: &str| {
        let body = json!({"params": {"city": city}});
        house.api("POST", "/processes/hold/tasks/one/modify").header("if-match", tag).json(&body).send()
    };
    let tag = format!("\"{}\"", task["revision"]);
    let answer = modify(&tag, "Oslo").await;
    let after = answer.ok(200);
    assert_eq!(after["params"]["city"], "Oslo");
    assert_eq!(answer.header("etag"), format!("\"{}\"", after["revision"]));
    modify(&tag, "Rome").await.problem(412, "revision_mismatch");
    modify("yesterday", "Rome").await.problem(412, "revision_mismatch");
    assert_eq!(modify("*", "Bonn").await.ok(200)["params"]["city"], "Bonn");
    let body = json!({"params": {"secret": 1}});
    let reserved = house.api("POST", "/processes/hold/tasks/one/modify").json(&body).send().await;
    reserved.problem(422, "reserved_name");
    let history = house.api("GET", "/processes/hold/tasks/one/history").send().await.ok(200);
    let event =
        history["items"].as_array().unwrap().iter().find(|it| it["event"] == "modify by local").unwrap();
    assert_eq!(event["set"], json!({"city": "Oslo"}));
}

#[tokio::test]
async fn wake_move_retry_and_cancel_do_what_they_say() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    house.submit("hold", "one", json!({"city": "Riga", "approved": "no"})).await;
    let command =
        async |verb: &str| house.api("POST", &format!("/processes/hold/tasks/one/{verb}")).send().await;
    let failed = command("wake").await.ok(200);
    assert_eq!((&failed["state"], &failed["node"]), (&json!("failed"), &json!("bad")));
    for verb in ["wake", "cancel"] {
        command(verb).await.problem(409, "task_ended");
    }
    let move_to = async |node: &str| {
        house.api("POST", "/processes/hold/tasks/one/move").json(&json!({"to": node})).send().await
    };
    let moved = move_to("rest").await.ok(200);
    assert_eq!((&moved["state"], &moved["node"]), (&json!("waiting"), &json!("rest")));
    move_to("nowhere").await.problem(422, "no_such_node");
    let cancelled = command("cancel").await.ok(200);
    assert_eq!(
        (&cancelled["state"], &cancelled["fault"]["code"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    assert_eq!(command("retry").await.ok(200)["state"], "waiting");
    house.api("POST", "/processes/hold/tasks/two/wake").send().await.problem(404, "no_such_task");
    house.api("POST", "/processes/nope/tasks/two/wake").send().await.problem(404, "no_such_process");
    let audit = house.api("GET", "/audit").send().await.ok(200);
    let did: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|it| it["did"].as_str().unwrap()).collect();
    for verb in ["wake", "move", "cancel", "retry", "deploy"] {
        assert!(did.contains(&verb), "{verb}: {did:?}");
    }
    assert!(!did.contains(&"submit"));
}

#[tokio::test]
async fn a_retried_task_does_not_take_a_name_that_is_taken() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let old = house.submit("hold", "one", json!({"city": "Riga"})).await;
    house.api("POST", "/processes/hold/tasks/one/cancel").send().await.ok(200);
    house.submit("hold", "one", json!({"city": "Oslo"})).await;
    let path = format!("/processes/hold/tasks/one/retry?id={}", old["id"].as_str().unwrap());
    house.api("POST", &path).send().await.problem(409, "ref_taken");
    let both = house.api("GET", "/processes/hold/tasks?state=waiting").send().await.ok(200);
    assert_eq!(both["items"].as_array().unwrap().len(), 1);
}
