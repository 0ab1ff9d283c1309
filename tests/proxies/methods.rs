//! What a proxy must let through as it came: methods, names, and bodies.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::json;

use crate::proxies::front::{Front, Proxy};

/// `HEAD` is what `GET` would say, without a body and also of a stream; `OPTIONS` says what a path takes.
pub(super) async fn head_and_options_are_answered(proxy: &Proxy) {
    let front = Front::open(proxy).await;
    let cookie = front.cookie().await;
    let tasks = "/api/v1/processes/hello/tasks";
    for (path, status, allow) in [
        ("/healthz", 200, "GET,HEAD,OPTIONS"),
        ("/readyz", 200, "GET,HEAD,OPTIONS"),
        ("/dashboard/login", 200, "GET,POST,HEAD,OPTIONS"),
        ("/dashboard/p/hello", 200, "GET,HEAD,OPTIONS"),
        ("/dashboard/events", 200, "GET,HEAD,OPTIONS"),
        ("/", 303, "GET,HEAD,OPTIONS"),
        ("/api/v1/events", 200, "GET,HEAD,OPTIONS"),
        (tasks, 200, "GET,POST,HEAD,OPTIONS"),
    ] {
        let answer = front.call(Method::HEAD, path).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(answer.status(), status, "HEAD {path}");
        assert_eq!(answer.bytes().await.unwrap().len(), 0, "HEAD {path}");
        let answer = front.ask(Method::OPTIONS, path).send().await.unwrap();
        assert_eq!(answer.status(), 204, "OPTIONS {path}");
        let said: Vec<&str> = answer.headers()["allow"].to_str().unwrap().split(',').map(str::trim).collect();
        let wanted: Vec<&str> = allow.split(',').collect();
        assert!(wanted.iter().all(|it| said.contains(it)) && said.len() == wanted.len(), "{path}: {said:?}");
    }
    assert_eq!(front.ask(Method::OPTIONS, "/api/v1/nowhere").send().await.unwrap().status(), 401);
    assert_eq!(front.call(Method::PATCH, tasks).send().await.unwrap().status(), 405);
}

/// Names with slashes and spaces arrive as they were sent, and so do bodies larger than a proxy likes.
pub(super) async fn names_and_bodies_arrive_whole(proxy: &Proxy) {
    let front = Front::open(proxy).await;
    let tasks = "/api/v1/processes/hello/tasks";
    let body = json!({"ref": "a/b c", "params": {"city": "Riga"}});
    let made = front.call(Method::POST, tasks).json(&body).send().await.unwrap();
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    let seen = front.call(Method::GET, &format!("{tasks}/a%2Fb%20c")).send().await.unwrap();
    assert_eq!(seen.status(), 200, "{}", seen.text().await.unwrap());
    let tag = "x".repeat(100_000);
    let lines = (0..30).fold(String::new(), |mut lines, at| {
        writeln!(
            lines,
            "{}",
            json!({"ref": format!("many-{at}"), "params": {"city": "Riga", "tags": [tag]}})
        )
        .unwrap();
        lines
    });
    let many = front.call(Method::POST, tasks).header("content-type", "application/x-ndjson").body(lines);
    let answer = many.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(!text.contains("error") && text.lines().count() == 30, "{text}");
}
