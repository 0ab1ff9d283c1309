//! The form of answers: every error is a problem, every answer is guarded.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::api::tasks::HOLD;
use crate::support::house::{House, OPERATOR};

#[tokio::test]
async fn every_mistake_is_a_problem() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let tasks = "/processes/hold/tasks";
    house.api("GET", "/nothing").send().await.problem(404, "no_such_path");
    house.call("GET", "/nothing").send().await.problem(404, "no_such_path");
    let wrong = house.api("PATCH", tasks).send().await;
    wrong.problem(405, "method_not_allowed");
    assert!(wrong.header("allow").contains("POST"));
    house.api("POST", tasks).body("text/plain", "{}").send().await.problem(415, "not_json");
    house.api("POST", tasks).body("application/json", "{").send().await.problem(400, "bad_json");
    house.api("POST", tasks).body("application/json", "").send().await.problem(400, "bad_json");
    house
        .api("POST", tasks)
        .body("application/json", b"{\"ref\": \"\xff\"}".to_vec())
        .send()
        .await
        .problem(400, "bad_json");
    let deep = format!("{{\"params\": {{\"a\": {}{}}}}}", "[".repeat(5_000), "]".repeat(5_000));
    house.api("POST", tasks).body("application/json", deep).send().await.problem(400, "bad_json");
    let typo = house.api("POST", tasks).json(&json!({"parms": {}})).send().await.problem(422, "bad_shape");
    assert_eq!(typo["hint"], "did you mean `params`?");
    house.api("POST", tasks).json(&json!({"params": []})).send().await.problem(422, "bad_shape");
    house.api("POST", tasks).json(&json!({"ref": 7})).send().await.problem(422, "bad_shape");
    house.api("GET", "/processes/hold/tasks/%FF").send().await.problem(400, "bad_path");
    house
        .api("PUT", "/processes/hold")
        .body("application/yaml", b"\xff".to_vec())
        .send()
        .await
        .problem(400, "bad_text");
    house.api("GET", "/processes/nope/tasks").send().await.problem(404, "no_such_process");
    let body = json!({"params": {}});
    house.api("POST", "/processes/nope/tasks").json(&body).send().await.problem(404, "no_such_process");
    house.api("GET", "/templates/nope").send().await.problem(404, "no_such_template");
    house.api("POST", "/channels/nope/test").send().await.problem(404, "not_found");
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let house = House::open().await;
    for (path, token) in
        [("/healthz", ""), ("/readyz", ""), ("/api/v1/processes", ""), ("/api/v1/processes", OPERATOR)]
    {
        let answer = house.call("GET", path).token(token).send().await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let answer = house.call("GET", "/api/v1/processes").token("").send().await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_is_refused() {
    let house = House::open().await;
    let call = |host: &str| house.call("GET", "/api/v1/processes").header("host", host).send();
    for host in ["localhost", "localhost:7700", "127.0.0.1", "127.0.0.1:80", "[::1]:7700", "LOCALHOST"] {
        call(host).await.ok(200);
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "[::2]"] {
        call(host).await.problem(421, "unknown_host");
    }
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.0 421"), "{text}");
}

#[tokio::test]
async fn the_api_describes_itself_whole() {
    let house = House::open().await;
    house.call("GET", "/api/openapi.json").token("").send().await.problem(401, "no_token");
    let api = house.call("GET", "/api/openapi.json").send().await.ok(200);
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = api["paths"].as_object().unwrap();
    let operations: usize = paths.values().map(|it| it.as_object().unwrap().len()).sum();
    assert!(operations >= 46, "{operations}");
    for (path, item) in paths {
        for (method, it) in item.as_object().unwrap() {
            assert!(it["summary"].is_string(), "{method} {path} says what it does");
        }
    }
    let text = api.to_string();
    for name in text.split("#/components/schemas/").skip(1).map(|it| it.split('"').next().unwrap()) {
        assert!(api["components"]["schemas"].get(name).is_some(), "{name} is described");
    }
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_is_under_way() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let body = json!({"ref": "one", "params": {"city": "Riga"}});
    let waiting = house.api("POST", "/processes/hold/tasks?wait=200ms").json(&body).send();
    let waiting = tokio::spawn(waiting);
    let seen = house.until("/processes/hold/tasks/one", |it| it["state"] == "waiting").await;
    let store = house.close().await;
    assert_eq!(waiting.await.unwrap().ok(201)["id"], seen["id"]);
    assert_eq!(
        store
            .tasks(&beltline::engine::ports::TaskQuery { limit: 9, ..Default::default() })
            .await
            .unwrap()
            .len(),
        1
    );
}
