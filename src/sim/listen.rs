//! Listening on loopback: a bounded number of connections, closed when the simulation stops. HTTP in the
//! way that an answer may be none at all.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::sim::deliver::Vanish;

/// The most connections to one listener: beyond it a new one is closed at once.
pub const CONNECTIONS_MAX: usize = 512;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stop waits for answers under way.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);
/// A rest after a failed accept, which is for want of file handles and would repeat at once.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Accepts connections and hands them to `handle` until `stop`; ends when all of them have ended.
#[expect(clippy::disallowed_methods, reason = "after a failed accept there is nothing to await but time")]
pub async fn accept<F, Fut>(listener: TcpListener, stop: CancellationToken, handle: F)
where
    F: Fn(TcpStream) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (open, tracker) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), TaskTracker::new());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // Without a permit the stream is dropped, and so closed.
                if let Ok(permit) = Arc::clone(&open).try_acquire_owned() {
                    let work = handle(stream);
                    tracker.spawn(async move {
                        work.await;
                        drop(permit);
                    });
                }
            }
            Err(_) => tokio::time::sleep(ACCEPT_REST).await,
        }
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

/// Serves HTTP on one connection. An answer that carries [`Vanish`] is not sent: the connection is closed
/// instead.
pub async fn serve_http(stream: TcpStream, router: Router, stop: CancellationToken) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = router.clone().oneshot(request.map(Body::new));
        async move {
            match answer.await {
                Ok(answer) if answer.extensions().get::<Vanish>().is_some() => Err(Vanished),
                Ok(answer) => Ok(answer),
                Err(never) => match never {},
            }
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Errors here are a client that left, or `Vanished`; neither is ours to report.
        _ = &mut connection => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(STOP_TIMEOUT, connection).await;
        }
    }
}

/// Tells hyper to close the connection without an answer.
#[derive(Debug)]
struct Vanished;

impl fmt::Display for Vanished {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("the connection is closed without an answer, as asked")
    }
}

impl std::error::Error for Vanished {}
