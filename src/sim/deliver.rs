//! From HTTP to data and back: an axum request becomes a [`Request`], an [`SimAnswer`] is delivered the way
//! it says.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::time::Instant;

use crate::sim::answer::{Deliver, SimAnswer};
use crate::sim::request::SimRequest;
use crate::sim::shared::Shared;
use crate::sim::tokens::PairId;

/// The largest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 1_048_576;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// An endless body ends here after all, lest a forgotten client fill a disk.
const ENDLESS_BYTES_MAX: usize = 64 * 1_048_576;
/// And after this time.
const ENDLESS_TIME_MAX: Duration = Duration::from_mins(2);
/// How much of an endless body comes at once, and how long until more of it does.
const ENDLESS_CHUNK: [u8; 16_384] = [b' '; 16_384];
const ENDLESS_REST: Duration = Duration::from_millis(5);

/// On a response: it is not to be sent; the connection is closed instead.
#[derive(Clone, Copy)]
pub struct Vanish;

/// The request as data, or why it cannot be taken.
pub async fn received(request: axum::extract::Request) -> Result<SimRequest, Response> {
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body.to_vec(),
        Ok(Err(_)) => return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
        Err(_) => return Err(StatusCode::REQUEST_TIMEOUT.into_response()),
    };
    Ok(SimRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        host: text(&head.headers, "host"),
        content_type: text(&head.headers, "content-type"),
        authorization: text(&head.headers, "authorization"),
        user_agent: text(&head.headers, "user-agent"),
        idempotency_key: text(&head.headers, "idempotency-key"),
        signature: text(&head.headers, "beltline-signature"),
        body,
    })
}

/// A header as text; empty if there is none, or none that is text.
pub fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned()
}

/// Delivers an answer. A client that leaves before a late one has lost it, and the token pair in it.
#[expect(clippy::disallowed_methods, reason = "being slow is what is asked for")]
pub async fn deliver(answer: SimAnswer, shared: &Shared) -> Response {
    match answer.deliver {
        Deliver::Whole => whole(answer),
        Deliver::After(ms) => {
            let mut receipt = Receipt { shared, pair: answer.pair };
            tokio::time::sleep(Duration::from_millis(ms)).await;
            receipt.pair = None;
            whole(answer)
        }
        Deliver::Closed => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            response.extensions_mut().insert(Vanish);
            response
        }
        Deliver::Endless => endless(answer),
    }
}

fn whole(answer: SimAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    for (name, value) in &answer.headers {
        // What cannot stand in a header is left out: it would be a `Location` made of a strange path.
        let pair = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()));
        if let (Ok(name), Ok(value)) = pair {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[expect(clippy::disallowed_methods, reason = "an endless answer drips")]
fn endless(answer: SimAnswer) -> Response {
    let started = Instant::now();
    let chunks = stream::unfold(0, move |sent: usize| async move {
        if sent >= ENDLESS_BYTES_MAX || started.elapsed() > ENDLESS_TIME_MAX {
            return None;
        }
        tokio::time::sleep(ENDLESS_REST).await;
        let chunk = Bytes::from_static(&ENDLESS_CHUNK);
        let sent = sent + chunk.len();
        Some((Ok::<_, Infallible>(chunk), sent))
    });
    let mut response = whole(SimAnswer { body: String::new(), ..answer });
    response.headers_mut().remove("content-length");
    *response.body_mut() = Body::from_stream(chunks);
    response
}

/// Held while an answer is under way; dropped with its pair still in it, the answer was lost.
struct Receipt<'a> {
    shared: &'a Shared,
    pair: Option<PairId>,
}

impl Drop for Receipt<'_> {
    fn drop(&mut self) {
        if let Some(pair) = self.pair {
            self.shared.bitrix().lose(pair);
        }
    }
}
