//! Users: what they are, and that a change of it holds at once.

use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use crate::dashboard::visitor::{SHOP, Visitor, shop};
use crate::support::house::{House, PASSWORD};

#[tokio::test]
async fn a_user_is_made_changed_and_forgotten() {
    let house = House::open().await;
    let make = |body: Value| house.api("POST", "/users").json(&body).send();
    let ann = make(json!({"name": "Ann", "password": PASSWORD, "role": "admin"})).await;
    assert_eq!((&ann.ok(201)["name"], &ann.ok(201)["role"]), (&json!("ann"), &json!("admin")));
    assert!(!ann.text.contains("argon2") && !ann.text.contains(PASSWORD));
    make(json!({"name": "ann", "password": PASSWORD, "role": "viewer"})).await.problem(409, "user_exists");
    make(json!({"name": "bob", "password": PASSWORD})).await.problem(422, "bad_role");
    make(json!({"name": "bob", "password": PASSWORD, "role": "boss"})).await.problem(422, "bad_shape");
    make(json!({"name": "bob", "password": "bob", "role": "viewer"})).await.problem(422, "bad_password");
    make(json!({"name": "b b", "password": PASSWORD, "role": "viewer"})).await.problem(422, "bad_name");
    house.token("ci", &["read"], None).await;
    make(json!({"name": "ci", "password": PASSWORD, "role": "viewer"})).await.problem(409, "name_taken");
    let token = json!({"name": "ann", "scopes": ["read"]});
    house.api("POST", "/tokens").json(&token).send().await.problem(409, "name_taken");

    house.user("bob", Some("viewer"), json!({"shop": "operator"})).await;
    let patch = |name: &str, body: Value| house.api("PATCH", &format!("/users/{name}")).json(&body).send();
    let bob = patch("bob", json!({"role": "none"})).await.ok(200);
    assert_eq!((&bob["role"], &bob["processes"]["shop"]), (&Value::Null, &json!("operator")));
    patch("bob", json!({"processes": {}})).await.problem(422, "bad_role");
    patch("nobody", json!({"disabled": true})).await.problem(404, "not_found");
    for body in [
        json!({"role": "editor"}),
        json!({"disabled": true}),
        json!({"role": "none", "processes": {"a": "admin"}}),
    ] {
        patch("ann", body).await.problem(409, "last_admin");
    }
    house.api("DELETE", "/users/ann").send().await.problem(409, "last_admin");
    patch("bob", json!({"role": "admin"})).await.ok(200);
    house.api("DELETE", "/users/ann").send().await.ok(204);
    house.api("GET", "/users/ann").send().await.problem(404, "not_found");
    let all = house.api("GET", "/users").send().await.ok(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    let kept = house.store.collection(beltline::engine::ports::Collection::User).await.unwrap();
    assert!(format!("{kept:?}").contains("$argon2id$") && !format!("{kept:?}").contains(PASSWORD));
}

#[tokio::test]
async fn a_role_holds_where_it_was_given_and_changes_at_once() {
    let house = shop().await;
    house.deploy(&SHOP.replace("process: shop", "process: mill")).await;
    house.submit("mill", "two", json!({"city": "Oslo"})).await;
    house.user("bob", Some("viewer"), json!({"shop": "operator"})).await;
    let bob = Visitor::user(&house, "bob", PASSWORD).await;
    let wake = async |process: &str, reference: &str| {
        bob.post(&format!("/dashboard/p/{process}/task/wake"), &[("ref", reference)]).await.status
    };
    assert!(bob.page("/dashboard/p/shop/task?ref=one").await.contains("/task/wake"));
    assert!(!bob.page("/dashboard/p/mill/task?ref=two").await.contains("/task/wake"));
    assert_eq!((wake("shop", "one").await, wake("mill", "two").await), (303, 403));
    assert!(
        !bob.page("/dashboard").await.contains("/dashboard/users"),
        "what he may not open is not offered"
    );

    let patch = |body: Value| house.api("PATCH", "/users/bob").json(&body).send();
    patch(json!({"role": "none", "processes": {"mill": "editor"}})).await.ok(200);
    assert_eq!((wake("shop", "one").await, wake("mill", "two").await), (403, 303));
    let home = bob.page("/dashboard").await;
    assert!(home.contains("/p/mill") && !home.contains("/p/shop"), "{home}");
    assert!(!bob.page("/dashboard/search?q=o").await.contains("/p/shop"));
    let history = house.api("GET", "/processes/mill/tasks/two/history").send().await.text;
    assert!(history.contains("bob"), "the history says who: {history}");

    patch(json!({"disabled": true})).await.ok(200);
    assert_eq!(bob.get("/dashboard").await.status, 303);
    patch(json!({"disabled": false})).await.ok(200);
    assert_eq!(bob.get("/dashboard").await.status, 303, "the session is over");
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_the_one_that_asked() {
    let house = House::open().await;
    house.user("ann", Some("viewer"), json!({})).await;
    let (mut here, there) =
        (Visitor::user(&house, "ann", PASSWORD).await, Visitor::user(&house, "ann", PASSWORD).await);
    let path = "/dashboard/account/password";
    let new = "another four good words";
    let wrong = [("old", "not that one"), ("new", new), ("again", new)];
    assert!(here.refused(422, path, &wrong).await.contains("The present password is another one."));
    let unlike = [("old", PASSWORD), ("new", new), ("again", "typed otherwise")];
    here.refused(422, path, &unlike).await;
    there.page("/dashboard/account").await;
    let done = here.post(path, &[("old", PASSWORD), ("new", new), ("again", new)]).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert_eq!(here.get("/dashboard").await.status, 303, "the old id is over here, too");
    here.bring(done.header("set-cookie").split(';').next().unwrap());
    here.page("/dashboard/account?said=password").await;
    assert_eq!(there.get("/dashboard/account").await.status, 303);
    assert_eq!(Visitor::stranger(&house).log_in_as("ann", PASSWORD).await.status, 401);
    Visitor::user(&house, "ann", new).await;
    house.api("PATCH", "/users/ann").json(&json!({"password": PASSWORD})).send().await.ok(200);
    assert_eq!(here.get("/dashboard").await.status, 303, "an admin's change ends them all");
}

#[tokio::test]
async fn the_page_of_users_and_tokens_does_all_of_it() {
    let house = shop().await;
    let operator = Visitor::operator(&house).await;
    let page = operator.page("/dashboard/users").await;
    assert!(page.contains("There are no users yet.") && page.contains("There are no tokens yet."));
    let fields = [("name", "ann"), ("password", PASSWORD), ("role", "admin"), ("within", "")];
    let page = operator.done("/dashboard/users/make", &fields).await;
    assert!(page.contains("The user was added.") && page.contains("<h2>ann"), "{page}");
    let bad = [("name", "bob"), ("password", PASSWORD), ("role", ""), ("within", "shop:operator")];
    let page = operator.refused(422, "/dashboard/users/make", &bad).await;
    assert!(page.contains("is no role in a process") && page.contains("value=\"bob\""), "{page}");
    let good =
        [("name", "bob"), ("password", PASSWORD), ("role", ""), ("within", "shop=operator, mill=viewer")];
    let page = operator.done("/dashboard/users/make", &good).await;
    assert!(page.contains("mill=viewer, shop=operator"), "{page}");
    let bob = Visitor::user(&house, "bob", PASSWORD).await;
    assert!(operator.page("/dashboard/users").await.contains("127.0.0.1"), "who is here is seen");
    let change = [("name", "bob"), ("disabled", "1")];
    assert!(operator.done("/dashboard/users/change", &change).await.contains("disabled"));
    assert_eq!(bob.get("/dashboard").await.status, 303);
    let page = operator.refused(409, "/dashboard/users/forget", &[("name", "ann")]).await;
    assert!(page.contains("is the last admin"), "{page}");
    operator.done("/dashboard/users/forget", &[("name", "bob")]).await;

    let token =
        [("name", "ci"), ("scope.read", "1"), ("scope.run", "1"), ("processes", "shop"), ("expires", "90d")];
    let made = operator.refused(200, "/dashboard/tokens/make", &token).await;
    let text = made.split("blt_").nth(1).unwrap().split('<').next().unwrap();
    let text = format!("blt_{text}");
    let seen = house.api("GET", "/processes").token(&text).send().await.ok(200);
    assert_eq!(seen["items"][0]["id"], "shop");
    let page = operator.page("/dashboard/users").await;
    assert!(page.contains(">ci<") && !page.contains(&text), "it is shown once");
    operator.done("/dashboard/tokens/forget", &[("name", "ci")]).await;
    house.api("GET", "/processes").token(&text).send().await.problem(401, "bad_token");
    let page = operator.refused(422, "/dashboard/tokens/make", &[("name", "x"), ("expires", "")]).await;
    assert!(page.contains("at least one of read, run, edit, secrets, admin"), "{page}");
}

#[tokio::test]
async fn a_stream_tells_what_one_may_see_and_ends_with_the_right() {
    let house = shop().await;
    house.deploy(&SHOP.replace("process: shop", "process: mill")).await;
    let token = house.token("eve", &["read"], Some(&["mill"])).await;
    let url = format!("http://{}/api/v1/events", house.address);
    let request = house.client.get(url).bearer_auth(&token);
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    house.submit("shop", "hidden-one", json!({"city": "Riga"})).await;
    house.submit("mill", "seen-one", json!({"city": "Oslo"})).await;
    let mut heard = String::new();
    while !heard.contains("seen-one") {
        let chunk = timeout(Duration::from_secs(20), stream.chunk()).await.unwrap().unwrap();
        heard.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    assert!(!heard.contains("hidden-one"), "{heard}");
    house.api("DELETE", "/tokens/eve").send().await.ok(204);
    house.submit("mill", "later-one", json!({"city": "Oslo"})).await;
    let rest = timeout(Duration::from_secs(20), stream.text()).await.unwrap().unwrap();
    assert!(!rest.contains("later-one"), "{rest}");
}

#[tokio::test]
async fn when_a_token_was_used_is_kept_now_and_then() {
    let house = House::open().await;
    let token = house.token("ci", &["read"], None).await;
    let used = async || house.api("GET", "/tokens").send().await.ok(200)["items"][0]["used"].clone();
    assert_eq!(used().await, Value::Null);
    house.api("GET", "/processes").token(&token).send().await.ok(200);
    assert!(used().await.is_string());
    let kept = async || {
        let records = house.store.collection(beltline::engine::ports::Collection::Token).await.unwrap();
        records[0].value["used"].clone()
    };
    assert_eq!(kept().await, Value::Null, "not with each request");
    house.service.keep_uses().await.unwrap();
    let first = kept().await;
    assert!(first.is_number() || first.is_string(), "{first}");
    house.api("GET", "/processes").token(&token).send().await.ok(200);
    house.service.keep_uses().await.unwrap();
    assert_eq!(kept().await, first, "no oftener than every five minutes");
}
