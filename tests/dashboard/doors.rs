//! Who comes in: nobody without a session, no form from elsewhere, nobody further than their rights go.

use crate::dashboard::visitor::{Visitor, shop};
use crate::support::house::{House, OPERATOR};

const READS: &[&str] = &[
    "/dashboard",
    "/dashboard/search?q=x",
    "/dashboard/events",
    "/dashboard/about",
    "/dashboard/manual",
    "/dashboard/manual/hooks",
    "/dashboard/templates",
    "/dashboard/templates/bitrix-oauth",
    "/dashboard/channels",
    "/dashboard/channels/set?via=telegram",
    "/dashboard/p/shop",
    "/dashboard/p/shop/yaml",
    "/dashboard/p/shop/add",
    "/dashboard/p/shop/task?ref=one",
    "/dashboard/nowhere",
];
const WRITES: &[&str] = &[
    "/dashboard/logout",
    "/dashboard/templates/bitrix-oauth",
    "/dashboard/channels/set",
    "/dashboard/channels/test",
    "/dashboard/channels/forget",
    "/dashboard/p/shop/pause",
    "/dashboard/p/shop/resume",
    "/dashboard/p/shop/add",
    "/dashboard/p/shop/task/reveal",
    "/dashboard/p/shop/task/modify",
    "/dashboard/p/shop/task/wake",
    "/dashboard/p/shop/task/retry",
    "/dashboard/p/shop/task/move",
    "/dashboard/p/shop/task/ack",
    "/dashboard/p/shop/task/cancel",
];

#[tokio::test]
async fn a_stranger_is_asked_to_log_in_and_led_back() {
    let house = shop().await;
    let stranger = Visitor::stranger(&house);
    assert_eq!(stranger.get("/").await.header("location"), "/dashboard");
    for path in READS {
        let answer = stranger.get(path).await;
        let to = answer.header("location");
        assert!(answer.status == 303 && to.starts_with("/dashboard/login?to=%2Fdashboard"), "{path}: {to}");
    }
    for path in WRITES {
        assert_eq!(stranger.post(path, &[("ref", "one")]).await.status, 401, "{path}");
    }
    let page = stranger.page("/dashboard/login?to=%2Fdashboard%2Fp%2Fshop").await;
    assert!(page.contains("name=\"to\" value=\"/dashboard/p/shop\""), "{page}");
    let away = stranger.page("/dashboard/login?to=https%3A%2F%2Fevil.example").await;
    assert!(!away.contains("evil.example"));
}

#[tokio::test]
async fn a_session_is_a_strict_cookie_that_ends_with_it() {
    let house = shop().await;
    let mut visitor = Visitor::stranger(&house);
    let wrong = visitor.log_in("blt_wrong").await;
    assert!(
        wrong.status == 401 && wrong.header("set-cookie").is_empty() && !wrong.text.contains("blt_wrong")
    );
    let right = visitor.log_in(&format!(" {OPERATOR}\n")).await;
    let cookie = right.header("set-cookie");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
    assert!(!cookie.contains(OPERATOR));
    assert!(visitor.page("/dashboard").await.contains("Orders of the"));
    // The old id opens nothing after a new login, and none does after the end.
    let old = visitor.forget();
    visitor.bring(&old);
    visitor.log_in(OPERATOR).await;
    let new = visitor.forget();
    visitor.bring(&old);
    assert_eq!(visitor.get("/dashboard").await.status, 303);
    visitor.bring(&new);
    let out = visitor.post("/dashboard/logout", &[]).await;
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    visitor.bring(&new);
    assert_eq!(visitor.get("/dashboard").await.status, 303);
    let lines = house.api("GET", "/audit").send().await.ok(200);
    let logins = lines["items"].as_array().unwrap().iter().filter(|it| it["did"] == "login");
    assert_eq!(logins.count(), 2);
}

#[tokio::test]
async fn a_session_holds_no_longer_than_its_token() {
    let house = shop().await;
    let token = house.token("ann", &["read"], None).await;
    let ann = Visitor::with(&house, &token).await;
    ann.page("/dashboard").await;
    house.api("DELETE", "/tokens/ann").send().await.ok(204);
    assert_eq!(ann.get("/dashboard").await.status, 303);
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let house = shop().await;
    let operator = Visitor::operator(&house).await;
    for path in WRITES.iter().chain(&["/dashboard/login"]) {
        for origin in ["https://evil.example", "null", "", "http://127.0.0.1:1"] {
            let fields = [("ref", "one"), ("token", OPERATOR)];
            let answer = operator.post_from(origin, path, &fields).await;
            assert_eq!(answer.status, 403, "{path} from {origin:?}");
        }
    }
    let task = house.api("GET", "/processes/shop/tasks/one").send().await.ok(200);
    assert_eq!(task["state"], "waiting");
}

#[tokio::test]
async fn many_wrong_tokens_are_slowed_and_a_good_one_is_not() {
    let house = House::open().await;
    let mut visitor = Visitor::stranger(&house);
    let mut statuses = Vec::new();
    for at in 0..15 {
        statuses.push(visitor.log_in(&format!("wrong-{at}")).await.status);
    }
    assert_eq!((statuses[0], statuses[14]), (401, 429));
    assert_eq!(visitor.log_in(OPERATOR).await.status, 303);
}

#[tokio::test]
async fn a_reader_sees_and_changes_nothing() {
    let house = shop().await;
    let token = house.token("eve", &["read"], None).await;
    let eve = Visitor::with(&house, &token).await;
    for path in READS.iter().filter(|it| !["/dashboard/events", "/dashboard/nowhere"].contains(*it)) {
        let page = eve.page(path).await;
        assert!(!page.contains("open-sesame-17"), "{path}");
        assert!(!page.contains("/task/cancel") && !page.contains("/pause\""), "{path}");
    }
    let fields = [
        ("ref", "one"),
        ("name", "x"),
        ("via", "telegram"),
        ("param", "key"),
        ("to", "done"),
        ("p.city", "Oslo"),
    ];
    for path in WRITES.iter().filter(|it| **it != "/dashboard/logout") {
        let fields: Vec<_> = fields.iter().copied().chain([("auto", "1")]).collect();
        let answer = eve.post(path, &fields).await;
        let missing = answer.status == 404 && path.contains("/channels/");
        assert!(answer.status == 403 || missing, "{path}: {} {}", answer.status, answer.text);
    }
    let task = house.api("GET", "/processes/shop/tasks/one").send().await.ok(200);
    assert_eq!((&task["state"], &task["params"]["city"]), (&"waiting".into(), &"Riga".into()));
}

#[tokio::test]
async fn who_may_see_one_process_sees_one() {
    let house = shop().await;
    let nodes = "  start: {kind: input, next: done}\n  done: {kind: end}\n";
    house.deploy(&format!("process: other\ntitle: The other\nnodes:\n{nodes}")).await;
    let token = house.token("bob", &["read", "run"], Some(&["other"])).await;
    let bob = Visitor::with(&house, &token).await;
    let home = bob.page("/dashboard").await;
    assert!(home.contains("The other") && !home.contains("shop"), "{home}");
    for path in ["/dashboard/p/shop", "/dashboard/p/shop/task?ref=one", "/dashboard/events?process=shop"] {
        assert_eq!(bob.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn the_address_of_a_refused_form_leads_to_the_page_above_when_it_is_opened_again() {
    let house = shop().await;
    let mut visitor = Visitor::stranger(&house);
    visitor.log_in(OPERATOR).await;
    for (path, above) in [
        ("/dashboard/p/shop/task/modify", "/dashboard/p/shop"),
        ("/dashboard/p/shop/pause", "/dashboard/p/shop"),
        ("/dashboard/users/make", "/dashboard/users"),
        ("/dashboard/channels/test", "/dashboard/channels"),
        ("/dashboard/tokens/make", "/dashboard"),
        ("/dashboard/logout", "/dashboard"),
    ] {
        let answer = visitor.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (303, above), "{path}");
    }
}
