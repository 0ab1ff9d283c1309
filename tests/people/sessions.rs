//! Sessions: seen and ended, one's own and others', over a restart, and with nothing to steal.

use std::sync::Arc;

use beltline::engine::ports::Collection;
use serde_json::json;

use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, PASSWORD, Plan};

#[tokio::test]
async fn a_session_outlives_a_restart_and_only_its_hash_is_kept() {
    let house = House::open().await;
    house.user("ann", Some("viewer"), json!({})).await;
    let ann = Visitor::user(&house, "ann", PASSWORD).await;
    let kept = house.store.collection(Collection::Session).await.unwrap();
    let id = ann.cookie().split_once('=').unwrap().1.to_owned();
    assert!(kept.len() == 1 && !format!("{kept:?}").contains(&id));
    let store = house.close().await;
    let house = House::build(Plan { store: Arc::clone(&store), ..Plan::default() }).await;
    let mut again = Visitor::stranger(&house);
    // The port is another one, and with it the cookie's name.
    again.bring(&format!("beltline-{}={id}", house.address.port()));
    assert!(again.page("/dashboard/account").await.contains("ann"));
    again.post("/dashboard/logout", &[]).await;
    assert_eq!(again.get("/dashboard").await.status, 303);
    assert_eq!(store.collection(Collection::Session).await.unwrap(), []);
}

#[tokio::test]
async fn one_sees_and_ends_ones_own_and_an_admin_all() {
    let house = House::open().await;
    house.user("ann", Some("viewer"), json!({})).await;
    house.user("bob", Some("viewer"), json!({})).await;
    let (ann, elsewhere) =
        (Visitor::user(&house, "ann", PASSWORD).await, Visitor::user(&house, "ann", PASSWORD).await);
    let bob = Visitor::user(&house, "bob", PASSWORD).await;
    let page = ann.page("/dashboard/account").await;
    assert!(page.matches("name=\"id\"").count() == 2 && !page.contains(">bob<"), "{page}");
    assert_eq!(page.matches("this one").count(), 1);
    let all = house.api("GET", "/sessions").send().await.ok(200);
    let all = all["items"].as_array().unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!((&all[0]["from"], &all[0]["current"]), (&json!("127.0.0.1"), &json!(false)));
    let id = |who: &str, not: &str| {
        let mine = all.iter().find(|it| it["who"] == who && it["id"] != not).unwrap();
        mine["id"].as_str().unwrap().to_owned()
    };
    let bobs = id("bob", "");
    assert_eq!(ann.post("/dashboard/account/end", &[("id", &bobs)]).await.status, 404, "it is not hers");
    bob.page("/dashboard/account").await;
    let token = house.token("eve", &["read"], None).await;
    let eves = house.api("GET", "/sessions").token(&token).send().await.ok(200);
    assert_eq!(eves["items"], json!([]));
    let path = format!("/sessions/{bobs}");
    house.api("DELETE", &path).token(&token).send().await.problem(404, "not_found");
    house.api("DELETE", &path).send().await.ok(204);
    assert_eq!(bob.get("/dashboard").await.status, 303);

    let hash = page.split("this one").nth(1).unwrap().split("name=\"id\" value=\"").nth(1).unwrap();
    let mine = hash.split('"').next().unwrap();
    let other = id("ann", mine);
    assert_eq!(ann.post("/dashboard/account/end", &[("id", &other)]).await.status, 303);
    assert_eq!(elsewhere.get("/dashboard").await.status, 303);
    ann.page("/dashboard/account").await;
    let audit = house.api("GET", "/audit").send().await.ok(200).to_string();
    assert!(audit.contains("session.end"), "{audit}");
}
