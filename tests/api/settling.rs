//! A process that was made to rest for a while goes on again, whatever fails or leaves in between, and so do
//! its tasks.

use std::sync::Arc;

use beltline::engine::ports::{Collection, Record};
use beltline::model::names::NodeName;
use beltline::model::time::Timestamp;
use beltline::service::actor::Actor;
use beltline::service::deploy::Deployment;
use beltline::store::memory::Memory;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::house::{House, Plan, task_path};
use crate::support::refusing::{How, Refusing};

const OLD: &str = r"
process: hold
params: {url: {type: string}}
nodes:
  start: {kind: input, next: ask}
  ask: {kind: http, url: '{{url}}', next: rest}
  rest: {kind: delay, for: 1h, next: good}
  good: {kind: end}
";
/// Without the node that asks.
const NEXT: &str = r"
process: hold
params: {url: {type: string}}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: delay, for: 1h, next: good}
  good: {kind: end}
";
const PROCESS: &str = "/processes/hold";
/// More writes than any of these deeds has.
const WRITES_MAX: usize = 24;
const AT_ONCE: usize = 4;

/// A server that answers when the gate is open.
async fn server() -> (String, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (gate, open) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut open = open.clone();
            tokio::spawn(async move {
                let _head = stream.read(&mut [0; 4_096]).await;
                // Who asked may be gone by then.
                drop(open.wait_for(|it| *it).await);
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _gone = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (url, gate)
}

/// A house in which one task asks, and has no answer yet.
struct Asking {
    house: House,
    store: Arc<Refusing>,
    url: String,
    gate: watch::Sender<bool>,
}

impl Asking {
    async fn begun() -> Asking {
        let (store, (url, gate)) = (Refusing::new(Arc::new(Memory::default())), server().await);
        let plan = Plan { store: Arc::<Refusing>::clone(&store), ..Plan::default() };
        let house = House::build(plan).await;
        house.deploy(OLD).await;
        house.submit("hold", "slow", json!({"url": url})).await;
        house.until(&task_path("hold", "slow"), |it| it["state"] == "doing").await;
        Asking { house, store, url, gate }
    }

    /// Submits a task that lies down, for the process rests; the store may refuse it for a while. Says
    /// whether it did.
    async fn lie_down(&self) -> bool {
        let mut refused = false;
        let body = json!({"ref": "parked", "params": {"url": self.url}});
        loop {
            let answer = self.house.api("POST", "/processes/hold/tasks").json(&body).send().await;
            if [200, 201, 409].contains(&answer.status) {
                return refused;
            }
            assert_eq!(answer.status, 503, "{}", answer.text);
            refused |= self.store.heal() > 0;
        }
    }

    /// Both tasks come to rest on the node that both versions have, and nothing says that it rests.
    async fn goes_on(&self) {
        for reference in ["slow", "parked"] {
            self.house.becomes(&task_path("hold", reference), |it| it["node"] == "rest").await;
        }
        let process = self.house.becomes(PROCESS, |it| it["resting"] == false).await;
        assert_eq!(process["paused"], false);
        let status = self.house.becomes("/status", |it| it["unsettled"] == 0).await;
        assert_eq!(status["ready"], true, "{status}");
    }
}

fn put(house: &House) -> impl Future<Output = crate::support::call::Answer> + use<> {
    house.api("PUT", "/processes/hold?move=ask:rest").yaml(NEXT).send()
}

/// Deploys while one asks and one lies down, and the store refuses the write of that number.
async fn deployed_with(number: usize, how: How, for_good: bool) -> bool {
    let asking = Asking::begun().await;
    let last = if for_good { usize::MAX } else { number + 1 };
    asking.store.refuse(number..last, how);
    let deploy = tokio::spawn(put(&asking.house));
    let rests = asking.house.becomes(PROCESS, |it| it["resting"] == true || deploy.is_finished());
    rests.await;
    let at_first = asking.lie_down().await;
    asking.gate.send(true).unwrap();
    let answer = deploy.await.unwrap();
    let refused = asking.store.heal() > 0 || at_first;
    // Busy: the answer that it waits for is there, and the store does not take it.
    assert!([200, 409, 503].contains(&answer.status), "write {number}: {}", answer.text);
    asking.goes_on().await;
    refused
}

/// Tries `deed` with each number, some at once: a house takes a while to be built.
async fn each<F>(many: usize, deed: impl Fn(usize) -> F) -> Vec<bool>
where
    F: Future<Output = bool> + Send + 'static,
{
    let deeds = futures::stream::iter((0..many).map(|number| tokio::spawn(deed(number))));
    deeds.buffered(AT_ONCE).map(Result::unwrap).collect().await
}

async fn deployed_at_each_write(how: How, for_good: bool) {
    let all = each(WRITES_MAX, |number| deployed_with(number, how, for_good)).await;
    assert!(all[0], "the first write was refused: {all:?}");
    assert!(!all[WRITES_MAX - 1], "a deploy has more writes than were refused: {all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_whose_write_is_refused_leaves_no_task_lying_whichever_write_it_is() {
    deployed_at_each_write(How::Full, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_whose_disk_stays_full_leaves_no_task_lying_once_it_has_room_again() {
    deployed_at_each_write(How::Full, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_whose_write_was_kept_unheard_leaves_no_task_lying() {
    deployed_at_each_write(How::Unheard, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_goes_on_though_whoever_asked_for_it_leaves() {
    let asking = Asking::begun().await;
    let by = Actor::local("test");
    let moves = [(NodeName::new("ask").unwrap(), NodeName::new("rest").unwrap())].into();
    let deployment = Deployment { text: NEXT.to_owned(), moves, ..Deployment::default() };
    {
        let mut deploy = Box::pin(asking.house.service.deploy(&by, deployment));
        let rests = asking.house.becomes(PROCESS, |it| it["resting"] == true);
        let mut rests = Box::pin(rests);
        futures::future::select(&mut rests, &mut deploy).await;
    }
    asking.lie_down().await;
    asking.gate.send(true).unwrap();
    asking.goes_on().await;
    let nodes = asking.house.api("GET", PROCESS).send().await.ok(200)["nodes"].clone();
    assert_eq!(nodes.as_array().unwrap().len(), 3, "the new version holds: {nodes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_a_deploy_waits_leaves_no_task_lying() {
    let asking = Asking::begun().await;
    let deploy = tokio::spawn(put(&asking.house));
    asking.house.becomes(PROCESS, |it| it["resting"] == true).await;
    asking.lie_down().await;
    let parked = asking.house.api("GET", &task_path("hold", "parked")).send().await.ok(200);
    assert_eq!((&parked["state"], &parked["due"]), (&json!("ready"), &Value::Null));
    let Asking { house, store, url, gate } = asking;
    // What is left of the dead one does nothing more.
    store.refuse(0..usize::MAX, How::Full);
    house.crash().await;
    deploy.abort();
    gate.send(true).unwrap();
    let house = House::build(Plan { store: store.inner(), ..Plan::default() }).await;
    house.becomes(&task_path("hold", "parked"), |it| it["node"] == "rest").await;
    drop(url);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_lies_since_an_older_program_is_woken_at_the_start() {
    let house = House::open().await;
    house.deploy(NEXT).await;
    house.api("POST", "/processes/hold/pause").send().await.ok(200);
    house.submit("hold", "parked", json!({})).await;
    let version = house.api("GET", PROCESS).send().await.ok(200)["version"].clone();
    let store = house.close().await;
    // As it was kept by a program that did not note whether tasks lie down.
    let (name, at) = ("hold".to_owned(), Timestamp(0));
    let value = json!({"version": version, "paused": false, "by": "ann", "at": at});
    store.put(vec![Record { collection: Collection::Process, name, value, at }]).await.unwrap();
    let house = House::build(Plan { store, ..Plan::default() }).await;
    house.becomes(&task_path("hold", "parked"), |it| it["node"] == "rest").await;
}

/// Pauses and resumes while the store refuses the write of that number.
async fn resumed_with(number: usize, how: How) -> bool {
    let store = Refusing::new(Arc::new(Memory::default()));
    let house = House::build(Plan { store: Arc::<Refusing>::clone(&store), ..Plan::default() }).await;
    house.deploy(NEXT).await;
    house.api("POST", "/processes/hold/pause").send().await.ok(200);
    let parked = house.submit("hold", "parked", json!({})).await;
    assert_eq!((&parked["state"], &parked["due"]), (&json!("ready"), &Value::Null));
    store.refuse(number..number + 1, how);
    let answer = house.api("POST", "/processes/hold/resume").send().await;
    let refused = store.heal() > 0;
    house.becomes("/status", |it| it["unsettled"] == 0).await;
    if house.api("GET", PROCESS).send().await.ok(200)["paused"] == true {
        assert_eq!(answer.status, 503, "write {number}");
        house.api("POST", "/processes/hold/resume").send().await.ok(200);
    }
    house.becomes(&task_path("hold", "parked"), |it| it["node"] == "rest").await;
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_whose_write_is_refused_leaves_no_task_lying_whichever_write_it_is() {
    for how in [How::Full, How::Unheard] {
        let all = each(8, |number| resumed_with(number, how)).await;
        assert!(all[0] && !all[7], "{all:?}");
    }
}

/// Deletes while the store refuses the write of that number.
async fn deleted_with(number: usize, how: How) -> bool {
    let store = Refusing::new(Arc::new(Memory::default()));
    let house = House::build(Plan { store: Arc::<Refusing>::clone(&store), ..Plan::default() }).await;
    house.deploy(NEXT).await;
    for n in 0..3 {
        house.submit("hold", &format!("t{n}"), json!({})).await;
        house.api("POST", &format!("/processes/hold/tasks/t{n}/cancel")).send().await.ok(200);
    }
    store.refuse(number..number + 1, how);
    house.api("DELETE", PROCESS).send().await;
    let refused = store.heal() > 0;
    house.becomes("/status", |it| it["unsettled"] == 0).await;
    if house.api("GET", PROCESS).send().await.status == 200 {
        // It is whole: tasks come in, and move.
        house.submit("hold", "new", json!({})).await;
        house.becomes(&task_path("hold", "new"), |it| it["node"] == "rest").await;
        house.api("POST", "/processes/hold/tasks/new/cancel").send().await.ok(200);
        house.api("DELETE", PROCESS).send().await.ok(204);
    }
    house.api("GET", PROCESS).send().await.problem(404, "no_such_process");
    let house = House::build(Plan { store: house.close().await, ..Plan::default() }).await;
    assert_eq!(house.api("GET", "/processes").send().await.ok(200)["items"], json!([]));
    assert_eq!(house.api("GET", "/tasks").send().await.ok(200)["items"], json!([]), "write {number}");
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_whose_write_is_refused_leaves_the_process_whole_or_nothing_of_it() {
    for how in [How::Full, How::Unheard] {
        let all = each(8, |number| deleted_with(number, how)).await;
        assert!(all[0] && !all[7], "{all:?}");
    }
}
