//! Hooks of the real binary: what is too large is refused, and nothing of it is kept.

use std::fs;

use futures::future::join_all;
use futures::stream;
use reqwest::{Body, Client};
use serde_json::json;

use crate::cli::place::{Place, Served};
use crate::kill::partner::client;

const DOOR: &str = "
process: door
params: {name: {type: string}}
hooks:
  open: {public: true, about: Anybody, ref: '{{body.name}}'}
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";
/// More than any hook takes.
const BODY_BYTES: usize = 10 * 1024 * 1024;
/// How many are sent at once.
const AT_ONCE: usize = 20;
/// What the engine may hold more of while it refuses them; all of them would be 200 MiB.
const MORE_KIB_MAX: u64 = 100 * 1024;

/// A number of the engine's memory, in KiB.
fn memory(served: &Served, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", served.id())).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

async fn refused(client: &Client, url: &str, says_how_large: bool) {
    let part = || Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]);
    let body = match says_how_large {
        true => Body::from(vec![b'x'; BODY_BYTES]),
        false => Body::wrap_stream(stream::iter((0..BODY_BYTES / (64 * 1024)).map(move |_| part()))),
    };
    let answer = client.post(url).header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 413);
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "body_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_mebibytes_are_refused_and_not_kept() {
    let place = Place::new();
    place.write("processes/door.yaml", DOOR);
    let served = place.serve();
    let url = format!("http://{}/hooks/door/open", place.address());
    let client = client();
    let made = client.post(&url).json(&json!({"name": "first"})).send().await.unwrap();
    assert_eq!(made.status(), 202);
    refused(&client, &url, true).await;
    refused(&client, &url, false).await;
    let before = memory(&served, "VmRSS");
    for round in 0..4 {
        let says = round % 2 == 0;
        join_all((0..AT_ONCE).map(|_| refused(&client, &url, says))).await;
    }
    let most = memory(&served, "VmHWM");
    assert!(most < before + MORE_KIB_MAX, "{before} KiB before, {most} KiB at most");
    let shown = place.ok(&["processes", "door"]);
    assert!(shown.contains("/hooks/door/open") && shown.contains("public"), "{shown}");
    let tasks = place.json(&["list", "door"]);
    assert_eq!(tasks["items"].as_array().unwrap().len(), 1);
}

/// A hook whose sender proves who they are.
const PROVEN: &str = "
process: proven
params: {name: {type: string}}
hooks:
  open: {check: {header: {name: X-Token, value: '{{secret.door}}'}}, ref: '{{body.name}}'}
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_fill_the_log() {
    let place = Place::new();
    place.write("processes/proven.yaml", PROVEN);
    let served = place.serve();
    let set = place.run_with(&["secret", "set", "door"], "right-token-of-the-door\n");
    assert_eq!(set.code, Some(0), "{set:?}");
    let url = format!("http://{}/hooks/proven/open", place.address());
    let client = client();
    let post = |token: &'static str| client.post(&url).header("x-token", token).json(&json!({"name": "n"}));
    for _ in 0..10 {
        let wrong = join_all((0..20).map(|_| post("wrong").send())).await;
        assert!(wrong.into_iter().all(|it| it.unwrap().status() == 401));
    }
    assert_eq!(served.log().matches("a request to a hook was refused").count(), 1, "{}", served.log());
    assert_eq!(post("right-token-of-the-door").send().await.unwrap().status(), 202);
}
