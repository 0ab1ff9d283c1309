//! [`serve`]: takes connections until it is told to stop, and then finishes what is under way.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};

use crate::api::app::App;
use crate::api::router::router;
use crate::api::tls::ServerTls;
use crate::middleware::client::Peer;
use crate::middleware::connections::Connections;

/// How long a request's head may take: whoever sends it byte by byte holds a connection no longer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How large a request's head may be.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long to rest when the system has no room for another connection.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// How long the two ends may take to agree on a sealed line.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `app` on `listener` until `stop`.
pub async fn serve(listener: TcpListener, app: App, stop: CancellationToken) {
    take_all(listener, None, app, stop).await;
}

/// The same over TLS.
pub async fn serve_sealed(listener: TcpListener, tls: Arc<ServerTls>, app: App, stop: CancellationToken) {
    take_all(listener, Some(tls), app, stop).await;
}

async fn take_all(listener: TcpListener, tls: Option<Arc<ServerTls>>, app: App, stop: CancellationToken) {
    let (finish_max, front) = (app.finish_max, Arc::clone(&app.front));
    let (connections, places) = (TaskTracker::new(), Connections::new(app.connections));
    // Senders of webhooks, and people, add slashes.
    let service = NormalizePathLayer::trim_trailing_slash().layer(router(app));
    let service = TowerToHyperService::new(service);
    loop {
        let permit = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            permit = places.room() => permit,
        };
        let (stream, from) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be taken");
                    drop(timeout(FULL_PAUSE, stop.cancelled()).await);
                    continue;
                }
            },
        };
        let Some(place) = places.take(permit, from.ip(), front.trusts(from.ip().to_canonical())) else {
            metrics::counter!("beltline_connections_refused_total").increment(1);
            continue;
        };
        let (service, stop) = (service.clone(), stop.clone());
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        connections.spawn(async move {
            // Answers are small and waited for.
            drop(stream.set_nodelay(true));
            let peer = Peer { address: from.ip(), tls: acceptor.is_some() };
            match acceptor {
                None => talk(stream, peer, service, stop).await,
                Some(acceptor) => match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => talk(stream, peer, service, stop).await,
                    Ok(Err(error)) => tracing::debug!(%error, "no sealed line came about"),
                    Err(_) => tracing::debug!("no sealed line came about in time"),
                },
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if timeout(finish_max, connections.wait()).await.is_err() {
        tracing::warn!("some requests were cut off");
    }
}

type Service = TowerToHyperService<NormalizePath<axum::Router>>;

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    service: Service,
    stop: CancellationToken,
) {
    // Each request knows which connection brought it.
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
