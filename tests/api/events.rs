//! The stream of events.

use beltline::api::app::STREAMS_EACH;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::api::tasks::HOLD;
use crate::support::house::{House, OPERATOR};

/// The first `many` events of a stream.
async fn events(
    house: &House,
    query: &str,
    last: Option<u64>,
    token: &str,
    many: usize,
) -> Vec<(u64, Value)> {
    let url = format!("http://{}/api/v1/events{query}", house.address);
    let mut request = house.client.get(url).bearer_auth(token);
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no", "no proxy holds events back");
    assert_eq!(response.headers()["cache-control"], "no-store, no-transform", "nor the end of each");
    let mut stream = response.bytes_stream();
    let (mut text, mut seen) = (String::new(), Vec::new());
    while seen.len() < many {
        let bytes = tokio::time::timeout(std::time::Duration::from_secs(20), stream.next()).await;
        text.push_str(std::str::from_utf8(&bytes.unwrap().unwrap().unwrap()).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                event.lines().find_map(|it| it.strip_prefix(name)).map(|it| it.trim().to_owned())
            };
            if let (Some(id), Some(data)) = (field("id:"), field("data:")) {
                seen.push((id.parse().unwrap(), serde_json::from_str(&data).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    seen
}

#[tokio::test]
async fn events_come_as_they_happen_and_can_be_taken_up_again() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    house.deploy(&HOLD.replace("process: hold", "process: other")).await;
    house.submit("hold", "one", json!({"city": "Riga", "key": "s3cret-value"})).await;
    house.submit("other", "two", json!({"city": "Oslo"})).await;
    let seen = events(&house, "?after=0", None, OPERATOR, 2).await;
    assert_eq!((&seen[0].1["ref"], &seen[0].1["state"]), (&json!("one"), &json!("waiting")));
    assert_eq!(seen[0].1["events"][0]["node"], "start");
    assert_eq!(seen[0].1["seq"], seen[0].0);
    let again = events(&house, "?after=0", Some(seen[0].0), OPERATOR, 1).await;
    assert_eq!(again[0], seen[1], "the header says where to go on");
    let one = events(&house, "?after=0&process=other", None, OPERATOR, 1).await;
    assert_eq!(one[0], seen[1]);
    let token = house.token("ann", &["read"], Some(&["other"])).await;
    assert_eq!(events(&house, "?after=0", None, &token, 1).await[0], seen[1], "only what one may see");
    let (live, _) = tokio::join!(events(&house, "?after=2", None, OPERATOR, 1), async {
        house.api("POST", "/processes/hold/tasks/one/cancel").send().await.ok(200)
    });
    assert_eq!(live[0].1["state"], "cancelled");
    house.api("GET", "/events?process=hold").token(&token).send().await.problem(403, "denied");
    house.api("GET", "/events").header("last-event-id", "x").send().await.problem(422, "bad_event_id");
}

#[tokio::test]
async fn one_listens_to_no_more_streams_than_anybody_looks_at() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let reader = house.token("reader", &["read"], None).await;
    let listen = async |token: &str| {
        let url = format!("http://{}/api/v1/events", house.address);
        house.client.get(url).bearer_auth(token).send().await.unwrap()
    };
    let mut open = Vec::new();
    for _ in 0..STREAMS_EACH {
        let answer = listen(&reader).await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    let refused = listen(&reader).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true));
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "too_many_streams");
    assert_eq!(listen(OPERATOR).await.status(), 200, "others listen");
    open.pop();
    loop {
        if listen(&reader).await.status() == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
}
