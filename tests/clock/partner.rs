//! [`Slow`]: a web service on loopback that holds its answers back until it is told to give them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A web service that runs until it is dropped.
pub(crate) struct Slow {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    server: JoinHandle<()>,
}

struct Seen {
    asked: Mutex<BTreeMap<String, usize>>,
    open: watch::Sender<bool>,
}

impl Slow {
    pub(crate) async fn start() -> Slow {
        let seen = Arc::new(Seen { asked: Mutex::default(), open: watch::Sender::new(false) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/{what}", post(answer)).with_state(Arc::clone(&seen));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Slow { address, seen, server }
    }

    /// How often it was asked for what.
    pub(crate) fn asked(&self) -> BTreeMap<String, usize> {
        self.seen.asked.lock().unwrap().clone()
    }

    /// Answers all who ask, and have asked.
    pub(crate) fn answer(&self) {
        self.seen.open.send_replace(true);
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(seen): State<Arc<Seen>>, Path(what): Path<String>) -> Json<Value> {
    *seen.asked.lock().unwrap().entry(what).or_default() += 1;
    // The service outlives who waits for it.
    drop(seen.open.subscribe().wait_for(|open| *open).await);
    Json(json!({"taken": true}))
}
