//! The audit: every order and every look at a secret, in one chain that shows what was done to it.

use beltline::engine::ports::{Collection, Record};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::dashboard::visitor::{Visitor, shop};
use crate::support::house::House;

async fn walk(house: &House) -> Value {
    house.api("GET", "/audit/verify").send().await.ok(200)
}

#[tokio::test]
async fn commands_and_looks_at_secrets_are_in_it() {
    let house = shop().await;
    let read = house.api("GET", "/processes/shop/tasks/one/params/key").send().await;
    assert_eq!((read.status, read.text.as_str()), (200, "open-sesame-17"));
    house.api("POST", "/processes/shop/tasks/one/cancel").send().await.ok(200);
    house.api("PUT", "/secrets/key").json(&json!({"value": "hush-hush"})).send().await.ok(200);
    house.user("ann", Some("admin"), json!({})).await;
    let lines = house.api("GET", "/audit?limit=500").send().await;
    let items = lines.ok(200)["items"].as_array().unwrap().clone();
    let did: Vec<&str> = items.iter().map(|it| it["did"].as_str().unwrap()).collect();
    assert_eq!(did, ["user.make", "secret.set", "cancel", "secret.read", "deploy"], "the newest first");
    let seqs: Vec<u64> = items.iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [5, 4, 3, 2, 1]);
    assert_eq!(items[3]["to"], "shop/one key");
    assert!(!lines.text.contains("open-sesame") && !lines.text.contains("hush-hush"), "{}", lines.text);
    let operator = Visitor::operator(&house).await;
    let page = operator.page("/dashboard/audit?verify=1").await;
    assert!(page.contains("secret.read") && page.contains("Every line is there"), "{page}");
}

#[tokio::test]
async fn it_is_read_a_page_at_a_time() {
    let house = House::open().await;
    for at in 0..25 {
        house.api("PUT", &format!("/vars/v{at}")).json(&json!({"value": at})).send().await.ok(200);
    }
    let (mut seen, mut path) = (Vec::new(), "/audit?limit=10".to_owned());
    loop {
        let page = house.api("GET", &path).send().await.ok(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|it| it["seq"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => path = format!("/audit?limit=10&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
    house.api("GET", "/audit?limit=501").send().await.problem(422, "bad_limit");
    house.api("GET", "/audit?cursor=zzz").send().await.ok(200);
}

#[tokio::test]
async fn many_at_once_make_one_chain_and_a_change_is_found() {
    let house = House::open().await;
    let puts =
        (0..60).map(|at| house.api("PUT", &format!("/vars/v{}", at % 7)).json(&json!({"value": at})).send());
    assert!(join_all(puts).await.iter().all(|it| it.status == 200));
    let good = walk(&house).await;
    assert_eq!((&good["ok"], &good["good"], &good["broken"]), (&json!(true), &json!(60), &Value::Null));
    let noted = format!("{}:{}", good["last"], good["head"].as_str().unwrap());
    house.api("PUT", "/vars/v").json(&json!({"value": 1})).send().await.ok(200);
    let path = format!("/audit/verify?noted={noted}");
    assert_eq!(house.api("GET", &path).send().await.ok(200)["ok"], true);
    house.api("GET", "/audit/verify?noted=60").send().await.problem(422, "bad_anchor");

    let lines = house.store.collection(Collection::Audit).await.unwrap();
    let tenth = lines.iter().find(|it| it.value["seq"] == 10 && it.value["by"].is_string()).unwrap().clone();
    let mut changed = tenth.clone();
    changed.value["by"] = json!("somebody else");
    house.store.put(vec![changed]).await.unwrap();
    let broken = walk(&house).await;
    assert_eq!((&broken["ok"], &broken["broken"]["seq"]), (&json!(false), &json!(11)), "{broken}");
    house.store.put(vec![tenth.clone()]).await.unwrap();
    assert_eq!(walk(&house).await["ok"], true);
    house.store.delete(Collection::Audit, &tenth.name).await.unwrap();
    let broken = walk(&house).await;
    assert_eq!((&broken["broken"]["seq"], &broken["broken"]["why"]), (&json!(10), &json!("it is missing")));
}

#[tokio::test]
async fn lines_from_before_there_was_a_chain_are_still_read() {
    let house = House::open().await;
    let value = json!({"by": "ann", "did": "deploy", "to": "shop@1"});
    let name = "001763732461000-0000000001-abcdef01".to_owned();
    let at = beltline::model::time::Timestamp(1_763_732_461_000);
    house.store.put(vec![Record { collection: Collection::Audit, name, value, at }]).await.unwrap();
    house.api("PUT", "/vars/v").json(&json!({"value": 1})).send().await.ok(200);
    let items = house.api("GET", "/audit").send().await.ok(200)["items"].clone();
    assert_eq!(
        (&items[0]["seq"], &items[1]["seq"], &items[1]["did"]),
        (&json!(1), &json!(0), &json!("deploy"))
    );
    assert_eq!(walk(&house).await["ok"], true);
}
