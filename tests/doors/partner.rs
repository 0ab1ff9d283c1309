//! [`Partner`]: a server that answers what it is given to, and keeps what it is told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Runs until it is dropped.
pub(super) struct Partner {
    pub(super) url: String,
    heard: Heard,
    server: JoinHandle<()>,
}

/// What it was told, by number.
type Heard = Arc<Mutex<Vec<(usize, Vec<u8>)>>>;

impl Partner {
    /// Answers with the JSON of that number.
    pub(super) async fn start(answers: Vec<String>) -> Partner {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, answers) = (Heard::default(), Arc::new(answers));
        let told = Arc::clone(&heard);
        let answer = async move |Path(at): Path<usize>| {
            ([(header::CONTENT_TYPE, "application/json")], answers[at].clone()).into_response()
        };
        let hear = async |State(heard): State<Heard>, Path(at): Path<usize>, body: axum::body::Bytes| {
            heard.lock().unwrap().push((at, body.to_vec()));
        };
        let router = Router::new().route("/{at}", get(answer)).route("/{at}", post(hear)).with_state(told);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Partner { url, heard, server }
    }

    /// What it was told under that number.
    pub(super) fn heard(&self, at: usize) -> Option<Vec<u8>> {
        self.heard.lock().unwrap().iter().find(|(it, _)| *it == at).map(|(_, body)| body.clone())
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.server.abort();
    }
}
