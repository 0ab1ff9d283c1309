//! [`live`]: an answer that goes on as things happen, and that no proxy holds back.

use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};

/// Lets no proxy hold events back: nginx, and those that took its header over, until a buffer is full of
/// them; and `HAProxy`, when it packs, the end of each until the next one.
const UNBUFFERED: [(&str, &str); 2] =
    [("x-accel-buffering", "no"), ("cache-control", "no-store, no-transform")];

/// The events, behind a line without a meaning: nginx (over HTTP/2) and Caddy (when it packs) send even the
/// head of an answer only with the first bytes of its body, and until then a browser does not know that it
/// listens.
pub fn live(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let first = stream::once(async { Event::default().comment("live") });
    let events = first.chain(events).map(Ok::<_, Infallible>);
    (UNBUFFERED, Sse::new(events).keep_alive(KeepAlive::default())).into_response()
}
