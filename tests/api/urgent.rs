//! After an outage: many tokens are due at once, the token server is slow, and few are asked at a time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use beltline::model::task::Phase;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::support::house::{House, Plan};

const TOKENS: usize = 2_000;
/// How many are asked at once.
const AT_ONCE: usize = 64;
/// How many are too late for.
const DEAD: usize = 200;

const PROCESS: &str = r#"
process: many
params:
  server: {type: string}
  token: {type: string, secret: true, expiry: {at: dies}}
  dies: {type: integer}
nodes:
  start: {kind: input, next: renew}
  renew:
    kind: http
    method: POST
    url: "{{{server}}}/{{task.ref}}"
    timeout: 2m
    retry: {times: 1}
    unsure: stop
    next: done
  done: {kind: end}
"#;

/// A token server that answers only as often as it is let, and who it was asked for, in order.
#[derive(Clone)]
struct Slow {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    many: watch::Sender<usize>,
    gate: Arc<Semaphore>,
}

impl Slow {
    async fn new() -> Slow {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (many, _) = watch::channel(0);
        let slow = Slow { url, asked: Arc::default(), many, gate: Arc::new(Semaphore::new(0)) };
        let app = Router::new().route("/{name}", post(answer)).with_state(slow.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        slow
    }

    /// Lets so many be answered.
    fn answer(&self, many: usize) {
        self.gate.add_permits(many);
    }

    /// Who it was asked for, when there were so many.
    async fn asked(&self, many: usize) -> Vec<String> {
        let mut all = self.many.subscribe();
        all.wait_for(|it| *it >= many).await.unwrap();
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(slow): State<Slow>, Path(name): Path<String>) -> &'static str {
    slow.asked.lock().unwrap().push(name);
    slow.many.send_modify(|it| *it += 1);
    slow.gate.acquire().await.unwrap().forget();
    "{}"
}

#[tokio::test]
async fn after_an_outage_the_tokens_nearest_to_their_death_are_renewed_first() {
    // One process has no more than half of all places.
    let (slow, plan) = (Slow::new().await, Plan { effects_max: 2 * AT_ONCE, ..Plan::default() });
    let house = House::build(plan).await;
    house.deploy(PROCESS).await;
    // As after an outage: nothing runs, and then all is due.
    house.api("POST", "/processes/many/pause").send().await.ok(200);
    let now = house.service.now().seconds();
    // In an order that has nothing to do with the one in which they die.
    let place = |at: usize| at * 997 % TOKENS;
    let name = |place: usize| format!("r{place:04}");
    let lines = (0..TOKENS).map(|at| {
        let place = place(at);
        let dies = match place < TOKENS - DEAD {
            true => now + 600 + i64::try_from(place).unwrap(),
            false => now - 60,
        };
        let params = json!({"server": slow.url, "token": format!("secret-{at}"), "dies": dies});
        format!("{}\n", json!({"ref": name(place), "params": params}))
    });
    let lines: String = lines.collect();
    let taken = house.api("POST", "/processes/many/tasks").body("application/x-ndjson", lines).send().await;
    assert_eq!(taken.text.lines().filter(|it| it.contains("\"ref\"")).count(), TOKENS, "{}", taken.text);
    house.api("POST", "/processes/many/resume").send().await.ok(200);
    for wave in 1..=4 {
        let asked: BTreeSet<String> = slow.asked(wave * AT_ONCE).await.into_iter().collect();
        let nearest: BTreeSet<String> = (0..wave * AT_ONCE).map(name).collect();
        assert_eq!(asked, nearest, "the {} nearest to death", wave * AT_ONCE);
        slow.answer(AT_ONCE);
    }
    slow.answer(TOKENS);
    let asked = slow.asked(TOKENS).await;
    let dead = |it: &&String| **it >= name(TOKENS - DEAD);
    let early = asked[..TOKENS - DEAD - AT_ONCE].iter().filter(dead).count();
    assert_eq!(early, 0, "those that are dead come after those that can be saved");
    house
        .until("/tasks?process=many&state=done&limit=1", |it| !it["items"].as_array().unwrap().is_empty())
        .await;
    let failed =
        house.store.counts(None).await.unwrap().iter().any(|it| it.phase == Phase::Failed && it.tasks > 0);
    assert!(!failed, "none was given up for having waited");
}

#[tokio::test]
async fn what_was_never_asked_when_the_engine_stopped_is_asked_by_the_next() {
    let (slow, plan) = (Slow::new().await, Plan { effects_max: 1, ..Plan::default() });
    let house = House::build(plan).await;
    house.deploy(PROCESS).await;
    let params =
        || json!({"server": slow.url, "token": "secret", "dies": house.service.now().seconds() + 600});
    for name in ["first", "second"] {
        house.submit("many", name, params()).await;
    }
    assert_eq!(slow.asked(1).await, ["first"]);
    let second = "/processes/many/tasks/second";
    assert_eq!(house.api("GET", second).send().await.ok(200)["state"], "doing", "it waits for its turn");
    let answer = async { slow.answer(2) };
    let (store, ()) = tokio::join!(house.close(), answer);
    let house = House::build(Plan { store, ..Plan::default() }).await;
    assert_eq!(slow.asked(2).await, ["first", "second"]);
    let task = house.until(second, |it| it["state"] == "done").await;
    assert_eq!(task["fault"], json!(null), "`unsure: stop` holds for what was asked");
}
