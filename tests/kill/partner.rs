//! [`Partner`]: a web service on loopback that remembers every request, with its `Idempotency-Key`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The keys of the requests, by what they asked for.
pub(crate) type Asked = BTreeMap<String, Vec<String>>;

/// A web service that runs until it is dropped.
pub(crate) struct Partner {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Asked>>,
    server: JoinHandle<()>,
}

impl Partner {
    pub(crate) async fn start() -> Partner {
        let asked = Arc::new(Mutex::new(Asked::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/{*what}", post(answer)).with_state(Arc::clone(&asked));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Partner { address, asked, server }
    }

    pub(crate) fn asked(&self) -> Asked {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A client as the world's own is made.
pub(crate) fn client() -> Client {
    // Another test may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().no_proxy().build().unwrap()
}

async fn answer(
    State(asked): State<Arc<Mutex<Asked>>>,
    Path(what): Path<String>,
    headers: HeaderMap,
) -> Json<Value> {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    asked.lock().unwrap().entry(what).or_default().push(key);
    Json(json!({"taken": true}))
}
