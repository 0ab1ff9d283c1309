//! [`Echo`]: a careless server that says back all it was told, in its answers and in its errors.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Runs until it is dropped.
pub(super) struct Echo {
    pub(super) url: String,
    heard: Arc<Mutex<String>>,
    server: JoinHandle<()>,
}

impl Echo {
    pub(super) async fn start() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(String::new()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&heard));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Echo { url, heard, server }
    }

    /// All it was told.
    pub(super) fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(heard): State<Arc<Mutex<String>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let headers: Vec<String> =
        parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let body = String::from_utf8_lossy(&body);
    let said = format!("{} {} {} {body}", parts.method, parts.uri, headers.join(", "));
    heard.lock().unwrap().push_str(&said);
    let path = parts.uri.path();
    if path.starts_with("/oauth/") {
        let error = json!({"error": "invalid_request", "error_description": format!("cannot read {body}")});
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    if path.starts_with("/bot") {
        let error = json!({"ok": false, "error_code": 401, "description": format!("no bot here: {said}")});
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    let status = if path == "/refuse" { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    (status, [("x-said", parts.uri.to_string())], Json(json!({"said": said}))).into_response()
}
