//! Tasks that wait for room, with everything real: what people see of them, and that none is lost or asked
//! too early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::house::{House, Plan, task_path};

const TASKS: usize = 12;

/// Says 429 to the first request, and no more.
async fn shy(seconds: u64) -> (String, Arc<AtomicUsize>) {
    let (asked, said) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let count = Arc::clone(&asked);
    let answer = move || {
        count.fetch_add(1, Ordering::SeqCst);
        let first = !said.swap(true, Ordering::SeqCst);
        async move {
            match first {
                true => {
                    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
                }
                false => "ok".into_response(),
            }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, asked)
}

fn process(url: &str) -> String {
    format!(
        "process: p\nnodes:\n  start: {{kind: input, next: ask}}\n  ask:\n    kind: http\n    \
         url: \"{url}\"\n    \
         retry: {{times: 2, first: 1s}}\n    next: done\n  done: {{kind: end}}\n"
    )
}

async fn events(house: &House, reference: &str) -> Vec<Value> {
    let history = house.api("GET", &format!("{}/history", task_path("p", reference))).send().await.ok(200);
    history["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_429_holds_back_all_tasks_and_costs_the_others_no_try() {
    let (url, asked) = shy(2).await;
    let house = House::open().await;
    house.deploy(&process(&url)).await;
    house.submit("p", "first", json!({})).await;
    house.until(&task_path("p", "first"), |it| it["fault"]["status"] == 429).await;
    for n in 1..TASKS {
        house.submit("p", &format!("t{n}"), json!({})).await;
    }
    let waiting = house.until(&task_path("p", "t1"), |it| it["waits_for"].is_string()).await;
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    assert_eq!(waiting["waits_for"], format!("room at `{host}`"));
    assert_eq!((&waiting["state"], &waiting["attempt"]), (&json!("ready"), &json!(1)));
    assert!(waiting["due"].is_string());
    for n in 1..TASKS {
        let name = format!("t{n}");
        let done = house.until(&task_path("p", &name), |it| it["state"] == "done").await;
        assert_eq!(
            (&done["attempt"], &done["fault"], done.get("waits_for")),
            (&json!(1), &json!(null), None)
        );
        let waits = events(&house, &name).await;
        let waits = waits.iter().filter(|it| it["event"].as_str().unwrap().starts_with("waits for room"));
        assert_eq!(waits.count(), 1);
    }
    house.until(&task_path("p", "first"), |it| it["state"] == "done").await;
    // Each was asked once, and the first one twice.
    assert_eq!(asked.load(Ordering::SeqCst), TASKS + 1);
}

#[tokio::test]
async fn who_waits_for_room_is_not_lost_with_the_program() {
    let (url, asked) = shy(1).await;
    let house = House::open().await;
    house.deploy(&process(&url)).await;
    house.submit("p", "first", json!({})).await;
    house.until(&task_path("p", "first"), |it| it["fault"]["status"] == 429).await;
    house.submit("p", "second", json!({})).await;
    house.until(&task_path("p", "second"), |it| it["waits_for"].is_string()).await;
    let store = house.close().await;
    let house = House::build(Plan { store, ..Plan::default() }).await;
    for name in ["first", "second"] {
        house.until(&task_path("p", name), |it| it["state"] == "done").await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}
