//! A disk that fills up under a running engine: new work is refused, what runs ends, and nothing is asked
//! whose answer could not be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use beltline::engine::ports::{DiskRoom, Store};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::store::room::{SmallDisk, until};
use crate::store::sqlite::open;
use crate::support::house::{House, Plan};

/// Answers every request, and counts them.
async fn partner() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            if stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
                drop(stream.write_all(answer.as_bytes()).await);
            }
        }
    });
    (format!("http://{address}/"), asked)
}

#[tokio::test]
async fn a_full_disk_takes_no_new_work_and_asks_nothing_but_what_can_end_does() {
    let Some(disk) = SmallDisk::mount(80) else { return };
    let store = open(disk.path());
    store.keep_ballast();
    let store: Arc<dyn Store> = Arc::new(store);
    let house = House::build(Plan { store: Arc::clone(&store), ..Plan::default() }).await;
    let (url, asked) = partner().await;
    let text = format!(
        "process: two\nparams: {{ask: {{type: boolean}}}}\nnodes:\n  in: {{kind: input, next: rest}}\n  \
         rest: {{kind: wait, next: which}}\n  \
         which: {{kind: condition, branches: [{{when: ask, next: ask}}], else: out}}\n  \
         ask: {{kind: http, method: POST, url: \"{url}\", next: out}}\n  out: {{kind: end}}\n"
    );
    house.deploy(&text).await;
    for (name, ask) in [("ends", false), ("asks", true)] {
        house.submit("two", name, json!({"ask": ask})).await;
    }
    // Less than the low-water mark of this disk, eight megabytes, and more than an answer may take.
    disk.fill(4 << 20);
    until("little room", || matches!(store.room(), DiskRoom::Low { .. })).await;
    let new =
        || house.api("POST", "/processes/two/tasks").json(&json!({"ref": "new", "params": {"ask": false}}));
    let told = new().send().await.problem(507, "disk_full");
    assert!(told["detail"].as_str().unwrap().contains("MB left"), "{told}");
    assert!(told["hint"].as_str().unwrap().contains("make room"), "{told}");
    let wake = |name: &str| house.api("POST", &format!("/processes/two/tasks/{name}/wake"));
    wake("ends").send().await.ok(200);
    house.until("/processes/two/tasks/ends", |it| it["state"] == "done").await;
    // Less than an answer may take, with the ballast of two megabytes.
    disk.fill(1 << 20);
    until("no room", || !store.room().takes_answers()).await;
    wake("asks").send().await;
    let asks = house.until("/processes/two/tasks/asks", |it| !it["waits_for"].is_null()).await;
    assert_eq!(
        (asks["state"].as_str(), asks["waits_for"].as_str()),
        (Some("doing"), Some("room on the disk for the answer"))
    );
    new().send().await.problem(507, "disk_full");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "it is not asked while its answer has no room");
    disk.make_room();
    house.until("/processes/two/tasks/asks", |it| it["state"] == "done").await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    until("room", || store.room().is_enough()).await;
    new().send().await.ok(201);
    house.close().await;
}
