//! What every answer carries.

use beltline::api::router::described;
use beltline::dashboard::router::doors;

use crate::dashboard::visitor::Visitor;
use crate::support::call::Answer;
use crate::support::house::{House, OPERATOR, Plan};

fn guarded(answer: &Answer, what: &str) {
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{what}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{what}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{what}: {name}");
    }
    assert!(["no-referrer", "same-origin"].contains(&answer.header("referrer-policy")), "{what}");
    assert!(answer.header("permissions-policy").contains("geolocation=()"), "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert_eq!(answer.header("strict-transport-security"), "", "{what} did not come over a sealed line");
}

#[tokio::test]
async fn every_answer_of_every_route_is_guarded() {
    let house = House::open().await;
    let all = described().2.list().into_iter().chain(doors());
    for door in all.filter(|it| !it.path.ends_with("/events")) {
        let path = door.path.replace(['{', '}', '*'], "");
        for token in ["", OPERATOR] {
            let call = house.call(door.method.as_str(), &path).token(token);
            let answer = call.header("origin", &format!("http://{}", house.address)).send().await;
            guarded(&answer, &format!("{} {path}: {}", door.method, answer.status));
        }
    }
    for (method, path, status) in [
        ("GET", "/nothing", 401),
        ("TRACE", "/api/v1/processes", 401),
        ("POST", "/healthz", 405),
        ("PUT", "/dashboard", 403),
        ("OPTIONS", "/healthz", 204),
        ("OPTIONS", "/api/v1/processes", 204),
        ("OPTIONS", "/dashboard", 204),
        ("OPTIONS", "/nothing", 401),
        // It was led to where one logs in.
        ("GET", "/dashboard/%FF", 200),
    ] {
        let answer = house.call(method, path).token("").send().await;
        guarded(&answer, &format!("{method} {path}"));
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let stranger = house.call("GET", "/healthz").header("host", "evil.example").send().await;
    assert_eq!(stranger.status, 421);
    guarded(&stranger, "another name");
    let large = house.api("PUT", "/vars/x").body("application/json", vec![b' '; 5 << 20]).send().await;
    assert_eq!(large.status, 413);
    guarded(&large, "a large body");
    let operator = Visitor::operator(&house).await;
    for path in ["/dashboard", "/dashboard/users", "/dashboard/audit", "/dashboard/nowhere"] {
        guarded(&operator.get(path).await, path);
    }
}

#[tokio::test]
async fn what_comes_over_a_sealed_line_says_so() {
    let house =
        House::build(Plan { proxies: vec!["127.0.0.1/32".parse().unwrap()], ..Plan::default() }).await;
    let sealed = house.call("GET", "/healthz").header("x-forwarded-proto", "https").send().await;
    assert_eq!(sealed.header("strict-transport-security"), "max-age=31536000");
    let plain = house.call("GET", "/healthz").header("x-forwarded-proto", "http").send().await;
    assert_eq!(plain.header("strict-transport-security"), "");
    // Nobody else is believed.
    let house = House::open().await;
    let said = house.call("GET", "/healthz").header("x-forwarded-proto", "https").send().await;
    assert_eq!(said.header("strict-transport-security"), "");
}

#[tokio::test]
async fn a_write_of_another_page_is_refused_also_by_the_api() {
    let house = House::open().await;
    let put = |name: &'static str, value: &str| {
        house.api("PUT", "/vars/x").header(name, value).json(&serde_json::json!({"value": 1})).send()
    };
    put("origin", "https://evil.example").await.problem(403, "cross_origin");
    put("sec-fetch-site", "cross-site").await.problem(403, "cross_origin");
    put("origin", "null").await.problem(403, "cross_origin");
    put("origin", &format!("http://{}", house.address)).await.ok(200);
    house.api("GET", "/vars").header("origin", "https://evil.example").send().await.ok(200);
}
