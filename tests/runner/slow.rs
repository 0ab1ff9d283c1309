//! [`Slow`]: a server that answers only as often as it is let, and remembers who it was asked for.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// A server that waits to be let.
#[derive(Clone)]
pub(super) struct Slow {
    pub(super) url: String,
    asked: watch::Sender<Vec<Asked>>,
    gate: Arc<Semaphore>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) key: String,
}

impl Slow {
    pub(super) async fn new() -> Slow {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let slow = Slow { url, asked: watch::Sender::default(), gate: Arc::new(Semaphore::new(0)) };
        let app = Router::new().route("/{name}", any(answer)).with_state(slow.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        slow
    }

    /// Lets so many be answered.
    pub(super) fn answer(&self, many: usize) {
        self.gate.add_permits(many);
    }

    /// Who it was asked for, when there were so many.
    pub(super) async fn asked(&self, many: usize) -> Vec<Asked> {
        self.asked.subscribe().wait_for(|all| all.len() >= many).await.unwrap().clone()
    }

    /// The same, so far.
    pub(super) fn asked_so_far(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }
}

async fn answer(State(slow): State<Slow>, Path(name): Path<String>, headers: HeaderMap) -> &'static str {
    let key = headers.get("idempotency-key").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    slow.asked.send_modify(|all| all.push(Asked { name, key }));
    slow.gate.acquire().await.unwrap().forget();
    "{\"n\": 1}"
}

/// The names of those that were asked for.
pub(super) fn names(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|it| it.name.as_str()).collect()
}
