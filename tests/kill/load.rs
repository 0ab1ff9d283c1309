//! Nothing acknowledged is lost, and what is done is done once, however often the engine is killed under
//! load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::cli::place::{Place, Served, until};
use crate::kill::partner::{Partner, client};

/// How many clients submit at once.
const CLIENTS: usize = 8;
/// After how many more acknowledgements the engine is killed, each time.
const KILLS: [usize; 6] = [7, 31, 60, 13, 90, 44];

/// An order asks a partner, asks another one at most once, calls a process and writes a signal.
fn processes(place: &Place, partner: &Partner) {
    let at = partner.address;
    let order = format!(
        r#"
process: order
nodes:
  start: {{kind: input, next: ask}}
  ask:
    kind: http
    method: POST
    url: "http://{at}/ask/{{{{task.ref}}}}"
    timeout: 1s
    save: {{taken: "= response.body.taken"}}
    next: once
  once:
    kind: http
    method: POST
    url: "http://{at}/once/{{{{task.ref}}}}"
    timeout: 1s
    unsure: stop
    save: {{once: asked}}
    next: double
    on_error: unknown
  unknown: {{kind: set, set: {{once: "{{{{fault.code}}}}"}}, next: double}}
  double: {{kind: call, process: double, params: {{n: 21}}, next: note}}
  note: {{kind: send, process: journal, params: {{of: "{{{{task.ref}}}}"}}, next: done}}
  done: {{kind: end}}
"#
    );
    place.write("processes/order.yaml", &order);
    let double = "
process: double
nodes:
  start: {kind: input, next: answer}
  answer: {kind: reply, values: {doubled: '= n * 2'}, next: done}
  done: {kind: end}
";
    place.write("processes/double.yaml", double);
    let journal = "
process: journal
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";
    place.write("processes/journal.yaml", journal);
}

fn serve(place: &Place) -> Served {
    place.serve_at("127.0.0.1:0", &["--allow-address", "127.0.0.0/8"])
}

/// Submits as fast as it can until the engine is gone; tells of every acknowledgement.
async fn submit(base: String, token: String, next: Arc<AtomicUsize>, tell: mpsc::UnboundedSender<String>) {
    let client = client();
    loop {
        let reference = format!("o{}", next.fetch_add(1, Ordering::Relaxed));
        let call = client.post(format!("{base}/api/v1/processes/order/tasks")).bearer_auth(&token);
        match call.json(&json!({"ref": reference, "params": {}})).send().await {
            Ok(answer) if answer.status() == 201 => drop(tell.send(reference)),
            Ok(answer) => panic!("{reference}: {}", answer.status()),
            Err(_) => return,
        }
    }
}

/// Everything a list has.
async fn all(base: &str, token: &str, path: &str) -> Vec<Value> {
    let client = client();
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let url = format!("{base}/api/v1/{path}?limit=500{cursor}");
        let page: Value = client.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_is_done_twice() {
    let (place, partner) = (Place::new(), Partner::start().await);
    processes(&place, &partner);
    let next = Arc::new(AtomicUsize::new(0));
    let mut acknowledged = Vec::new();
    for more in KILLS {
        let served = serve(&place);
        let (base, token) = door(&place);
        let (tell, mut told) = mpsc::unbounded_channel();
        for _ in 0..CLIENTS {
            tokio::spawn(submit(base.clone(), token.clone(), Arc::clone(&next), tell.clone()));
        }
        drop(tell);
        for _ in 0..more {
            acknowledged.push(told.recv().await.expect("the engine takes tasks until it is killed"));
        }
        // Dropping sends SIGKILL.
        drop(served);
        while let Some(late) = told.recv().await {
            acknowledged.push(late);
        }
    }
    assert!(acknowledged.len() >= KILLS.iter().sum(), "{}", acknowledged.len());
    let _served = serve(&place);
    let (base, token) = door(&place);
    let tasks = settled(&base, &token).await;
    let orders: BTreeMap<String, &Value> = tasks
        .iter()
        .filter(|task| task["process"] == "order")
        .map(|task| (task["ref"].as_str().unwrap().to_owned(), task))
        .collect();
    let asked = partner.asked();
    for reference in &acknowledged {
        let order =
            orders.get(reference).unwrap_or_else(|| panic!("{reference} was acknowledged and is lost"));
        assert_eq!(order["state"], "done", "{order}");
        assert_eq!(order["params"]["doubled"], 42, "{order}");
        let mut keys = asked[&format!("ask/{reference}")].clone();
        keys.dedup();
        assert_eq!(keys.len(), 1, "one visit, one key: {keys:?}");
        let once = asked.get(&format!("once/{reference}")).map_or(0, Vec::len);
        match order["params"]["once"].as_str() {
            Some("asked") => assert_eq!(once, 1, "{reference}"),
            Some("outcome_unknown") => assert!(once <= 1, "{reference} was asked {once} times"),
            other => panic!("{reference}: {other:?}"),
        }
    }
    for process in ["journal", "double"] {
        let signals = tasks.iter().filter(|task| task["process"] == process).count();
        assert_eq!(signals, orders.len(), "every order has one {process} task");
    }
    println!("{} kills, {} acknowledged, {} orders", KILLS.len(), acknowledged.len(), orders.len());
}

/// All tasks of the three processes, when all have ended.
async fn settled(base: &str, token: &str) -> Vec<Value> {
    for _ in 0..1_200 {
        let mut tasks = Vec::new();
        for process in ["order", "double", "journal"] {
            tasks.extend(all(base, token, &format!("processes/{process}/tasks")).await);
        }
        let live = |task: &&Value| ["ready", "doing", "waiting"].iter().any(|it| task["state"] == *it);
        if !tasks.iter().any(|task| live(&task)) {
            return tasks;
        }
        pause().await;
    }
    panic!("the tasks did not come to their ends");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the engine is another program; it is asked again after a while"
)]
async fn pause() {
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

fn door(place: &Place) -> (String, String) {
    let token = until("the local token", || std::fs::read_to_string(place.path("data/token")).ok());
    (format!("http://{}", place.address()), token.trim().to_owned())
}
