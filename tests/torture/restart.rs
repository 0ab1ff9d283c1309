//! How long it takes from the start after a `kill -9` until the first task is done, with very many live tasks
//! and a backlog. To be run by hand, with `BELTLINE_BINARY` naming a release build:
//!
//! ```sh
//! BELTLINE_BINARY=target/release/beltline cargo test --test main -- --ignored --nocapture restart
//! ```

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::torture::life::Life;
use crate::torture::scene::Scene;

const LIVE: u64 = 100_000;
const DUE: u64 = 20_000;
const PROCESSES: [(&str, &str); 2] = [("sleeper", "30d"), ("late", "1m")];

#[expect(clippy::disallowed_methods, reason = "a time is measured")]
fn now() -> Instant {
    Instant::now()
}

async fn submit(scene: &Scene, life: &Life, process: &str, many: u64) {
    let lines: String = (0..many).map(|it| json!({"ref": format!("t{it}")}).to_string() + "\n").collect();
    let url = format!("{}/api/v1/processes/{process}/tasks", life.base);
    let call = scene.client.post(url).bearer_auth(&life.token).header("content-type", "application/x-ndjson");
    let answer = call.timeout(Duration::from_mins(10)).body(lines).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    let text = answer.text().await.unwrap();
    assert_eq!(text.lines().count(), usize::try_from(many).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, to be made by hand"]
async fn from_a_restart_to_the_first_task_done() {
    let mut scene = Scene::new(1, None).await;
    for (id, pause) in PROCESSES {
        let text = format!(
            "process: {id}\nnodes:\n  start: {{kind: input, next: nap}}\n  \
             nap: {{kind: delay, for: {pause}, next: done}}\n  done: {{kind: end}}\n"
        );
        fs::write(scene.home().join(format!("processes/{id}.yaml")), text).unwrap();
    }
    let life = scene.live();
    scene.close();
    submit(&scene, &life, "sleeper", LIVE).await;
    let began = now();
    submit(&scene, &life, "late", DUE).await;
    let took = began.elapsed();
    assert!(took < Duration::from_mins(1), "the backlog took {took:?} and begins to end already");
    let late = scene.get(&life, "processes/late").await.unwrap();
    assert_eq!(late["live"], DUE, "none has ended yet");
    life.kill();
    wait(Duration::from_mins(1) + Duration::from_secs(2)).await;
    let began = now();
    let life = scene.live();
    let up = began.elapsed();
    scene.close();
    let done = loop {
        let page = scene.get(&life, "processes/late/tasks?state=done&limit=1").await;
        if page.is_some_and(|page| !page["items"].as_array().unwrap().is_empty()) {
            break began.elapsed();
        }
    };
    let all = loop {
        let late = scene.get(&life, "processes/late").await;
        if late.is_some_and(|it| it["live"] == 0) {
            break began.elapsed();
        }
        wait(Duration::from_millis(100)).await;
    };
    println!(
        "with {LIVE} live tasks and {DUE} due: up after {up:?}, first done after {done:?}, all after {all:?}"
    );
    scene.no_more_at_all();
}

#[expect(clippy::disallowed_methods, reason = "the engine is down while the backlog becomes due")]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}
