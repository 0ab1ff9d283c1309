//! Streams of events through a proxy that packs.

use std::io::Write;

use flate2::write::GzDecoder;
use reqwest::{Method, Response};

use crate::proxies::front::{Front, PATIENCE, Proxy};

/// What an engine with nothing to say sends after a while. Whatever comes together with it was held back.
const KEPT_ALIVE: &str = ":\n\n";

/// A stream that is listened to.
struct Stream {
    answer: Response,
    /// Unpacks what comes packed.
    unpacking: Option<GzDecoder<Vec<u8>>>,
}

impl Stream {
    async fn open(request: reqwest::RequestBuilder) -> Stream {
        let request = request.header("accept", "text/event-stream").header("accept-encoding", "gzip");
        let answer = tokio::time::timeout(PATIENCE, request.send()).await.expect("it begins").unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let packed = answer.headers().get("content-encoding").is_some_and(|it| it == "gzip");
        let mut stream = Stream { answer, unpacking: packed.then(|| GzDecoder::new(Vec::new())) };
        let first = stream.until("\n\n").await;
        assert_eq!(first, ": live\n\n", "it begins at once, and not when there is something to say");
        stream
    }

    /// What comes until that came.
    async fn until(&mut self, what: &str) -> String {
        let mut text = String::new();
        while !text.contains(what) || !text.ends_with("\n\n") {
            let piece = tokio::time::timeout(PATIENCE, self.answer.chunk()).await;
            let piece = piece.unwrap_or_else(|_| panic!("no `{what}` came, but: {text}")).unwrap();
            let piece = piece.expect("it goes on");
            let piece = match &mut self.unpacking {
                None => piece.to_vec(),
                Some(unpacking) => {
                    unpacking.write_all(&piece).unwrap();
                    unpacking.flush().unwrap();
                    std::mem::take(unpacking.get_mut())
                }
            };
            text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        text
    }

    /// Waits for an event, which came when it happened and not when the line was kept alive.
    async fn hears(&mut self, what: &str) {
        let text = self.until(what).await;
        assert!(!text.ends_with(KEPT_ALIVE), "it was held back: {text}");
    }

    /// Waits until the other side ends it.
    async fn ends(mut self) {
        let end = async { while let Ok(Some(_)) = self.answer.chunk().await {} };
        tokio::time::timeout(PATIENCE, end).await.expect("it ends");
    }
}

async fn streams(front: &Front, cookie: &str) -> (Stream, Stream) {
    let page = front.ask(Method::GET, "/dashboard/events?process=hello").header("cookie", cookie);
    let program = front.call(Method::GET, "/api/v1/events?process=hello");
    (Stream::open(page).await, Stream::open(program).await)
}

async fn submit(front: &Front, name: &str) {
    let body = serde_json::json!({"ref": name, "params": {"city": "Riga"}});
    let request = front.call(Method::POST, "/api/v1/processes/hello/tasks").json(&body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// What happens is heard when it happens, also when the proxy packs; after a restart one can listen again.
pub(super) async fn nothing_is_held_back(proxy: &Proxy) {
    let mut front = Front::open(proxy).await;
    let cookie = front.cookie().await;
    for name in ["first", "second"] {
        let (mut page, mut program) = streams(&front, &cookie).await;
        submit(&front, name).await;
        program.hears(&format!("\"ref\":\"{name}\"")).await;
        page.hears("event: old").await;
        front.stop();
        page.ends().await;
        program.ends().await;
        let answer = front.ask(Method::GET, "/dashboard/events").send().await.unwrap();
        assert!([502, 503].contains(&answer.status().as_u16()), "{}", answer.status());
        front.start().await;
    }
}
