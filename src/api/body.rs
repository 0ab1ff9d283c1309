//! [`whole`]: the body of a request from anybody. What is too large is refused before it is kept, what comes
//! too slowly is given up, and all that is being read at once has a bound.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::api::problem::ApiProblem;

/// How long a body may take: whoever sends it byte by byte holds a connection no longer.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of all bodies is held at once, in KiB: 64 MiB.
const HELD_KIB_MAX: usize = 64 * 1024;
/// How much of a body that is refused is still listened to and forgotten, so that its sender hears why.
const UNHEARD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How much is held of all bodies that are being read.
#[derive(Clone, Debug)]
pub struct BodyMemory(Arc<Semaphore>);

impl Default for BodyMemory {
    fn default() -> BodyMemory {
        BodyMemory(Arc::new(Semaphore::new(HELD_KIB_MAX)))
    }
}

/// A body, and its place in the room.
#[derive(Debug)]
pub struct Whole {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Given back when this is dropped.
    place: Vec<OwnedSemaphorePermit>,
}

/// Reads a body of at most `bytes_max` bytes, within `within`.
///
/// # Errors
/// `body_too_large`, `body_too_slow`, `bad_body`, and `busy` when there is no room for it now.
pub async fn whole(
    room: &BodyMemory,
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    within: Duration,
) -> Result<Whole, ApiProblem> {
    let mut stream = body.into_data_stream();
    let said = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|it| it > bytes_max) {
        // Who asked whether to send it has not sent anything.
        if !headers.contains_key(header::EXPECT) {
            forget(&mut stream, within).await;
        }
        return Err(too_large(bytes_max));
    }
    let read = timeout(within, gather(room, &mut stream, bytes_max)).await;
    match read {
        Ok(Err(problem)) if problem.status == StatusCode::PAYLOAD_TOO_LARGE => {
            forget(&mut stream, within).await;
            Err(problem)
        }
        Ok(done) => done,
        Err(_) => {
            let detail = format!("the body did not arrive within {} seconds", within.as_secs());
            Err(ApiProblem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail))
        }
    }
}

async fn gather(
    room: &BodyMemory,
    stream: &mut BodyDataStream,
    bytes_max: usize,
) -> Result<Whole, ApiProblem> {
    let mut whole = Whole { bytes: Vec::new(), place: Vec::new() };
    let mut kib = 0;
    while let Some(part) = stream.next().await {
        let bad = |_| ApiProblem::new(StatusCode::BAD_REQUEST, "bad_body", "the body did not arrive whole");
        let part = part.map_err(bad)?;
        let bytes = whole.bytes.len() + part.len();
        if bytes > bytes_max {
            return Err(too_large(bytes_max));
        }
        let more = bytes.div_ceil(1024) - kib;
        if more > 0 {
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            let place = Arc::clone(&room.0).try_acquire_many_owned(more).map_err(|_| busy())?;
            whole.place.push(place);
            kib = bytes.div_ceil(1024);
        }
        whole.bytes.extend_from_slice(&part);
    }
    Ok(whole)
}

/// Listens a while to what is refused: a connection that is closed on a sender would not tell it why.
async fn forget(stream: &mut BodyDataStream, within: Duration) {
    let listen = async {
        let mut bytes = 0;
        while let Some(Ok(part)) = stream.next().await {
            bytes += part.len();
            if bytes > UNHEARD_BYTES_MAX {
                break;
            }
        }
    };
    // Who is slow as well is not listened to for longer.
    drop(timeout(within, listen).await);
}

fn too_large(bytes_max: usize) -> ApiProblem {
    let detail = format!("the body is larger than the {bytes_max} bytes that are taken here");
    ApiProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn busy() -> ApiProblem {
    let detail = "too much is being read at once; hint: try again in a moment";
    ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn endless() -> Body {
        Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>())
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let (room, headers) = (BodyMemory::default(), HeaderMap::new());
        let read = whole(&room, &headers, endless(), 10, Duration::from_millis(20)).await;
        let problem = read.unwrap_err();
        assert_eq!((problem.status.as_u16(), &*problem.code), (408, "body_too_slow"));
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_whether_it_says_so_or_not() {
        let within = Duration::from_secs(20);
        let parts = stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![7u8])));
        let read =
            whole(&BodyMemory::default(), &HeaderMap::new(), Body::from_stream(parts), 10, within).await;
        assert_eq!(read.unwrap_err().code, "body_too_large");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, 11.into());
        // Nothing is read of what asks first: this body would never end.
        headers.insert(header::EXPECT, "100-continue".parse().unwrap());
        let read = whole(&BodyMemory::default(), &headers, endless(), 10, within).await;
        assert_eq!(read.unwrap_err().code, "body_too_large");
        let exact =
            whole(&BodyMemory::default(), &HeaderMap::new(), Body::from(vec![7u8; 10]), 10, within).await;
        assert_eq!(exact.unwrap().bytes.len(), 10);
    }

    #[tokio::test]
    async fn the_room_is_given_back() {
        let room = BodyMemory::default();
        let within = Duration::from_secs(20);
        let bytes = HELD_KIB_MAX * 1024;
        let read =
            async || whole(&room, &HeaderMap::new(), Body::from(vec![0u8; bytes]), bytes, within).await;
        let held = read().await.unwrap();
        let more = whole(&room, &HeaderMap::new(), Body::from("x"), 1, within).await;
        assert_eq!(more.unwrap_err().code, "busy");
        drop(held);
        read().await.unwrap();
    }
}
