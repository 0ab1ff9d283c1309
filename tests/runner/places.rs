//! Places are shared: requests that hang keep nobody else's waiting, and least of all a token's renewal.

use serde_json::json;

use crate::runner::slow::Slow;
use crate::support::house::{House, Plan};

const PLACES: usize = 8;

fn process(name: &str, params: &str) -> String {
    let text = r#"
process: NAME
params: {server: {type: string}PARAMS}
nodes:
  start: {kind: input, next: ask}
  ask: {kind: http, method: POST, url: "{{{server}}}/{{task.ref}}", timeout: 1m, next: done}
  done: {kind: end}
"#;
    text.replace("NAME", name).replace("PARAMS", params)
}

#[tokio::test]
async fn requests_that_hang_keep_no_renewal_and_no_other_process_waiting() {
    let (hangs, other, tokens) = (Slow::new().await, Slow::new().await, Slow::new().await);
    let house = House::build(Plan { effects_max: PLACES, ..Plan::default() }).await;
    house.deploy(&process("hanging", "")).await;
    house.deploy(&process("other", "")).await;
    house.deploy(&process("keeper", ", token: {secret: true, dies_at: end}, end: {type: integer}")).await;
    for at in 0..3 * PLACES {
        house.submit("hanging", &format!("h{at}"), json!({"server": hangs.url})).await;
    }
    assert_eq!(hangs.asked(PLACES / 2).await.len(), PLACES / 2, "it has its half");
    other.answer(usize::MAX >> 8);
    house.submit("other", "o", json!({"server": other.url})).await;
    house.until("/processes/other/tasks/o", |it| it["state"] == "done").await;
    // All places that are not kept for tokens are taken.
    let slow = Slow::new().await;
    for at in 0..2 * PLACES {
        house.submit("other", &format!("s{at}"), json!({"server": slow.url})).await;
    }
    assert_eq!(slow.asked(PLACES / 4).await.len(), PLACES / 4);
    let end = house.desk.now().seconds() + 600;
    let params = json!({"server": tokens.url, "token": "made-up", "end": end});
    house.submit("keeper", "token", params).await;
    tokens.asked(1).await;
    tokens.answer(1);
    house.until("/processes/keeper/tasks/token", |it| it["state"] == "done").await;
    assert_eq!((hangs.asked_so_far().len(), slow.asked_so_far().len()), (PLACES / 2, PLACES / 4));
    hangs.answer(usize::MAX >> 8);
    slow.answer(usize::MAX >> 8);
    hangs.asked(3 * PLACES).await;
    slow.asked(2 * PLACES).await;
}
