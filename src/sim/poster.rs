//! Sends the portal's events to a handler, over real HTTP: `POST /sim/event {"event": "install", "to": URL}`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::sim::config::DEMO_CLIENT_ID;
use crate::sim::events::{SimEvent, happen};
use crate::sim::shared::Shared;

/// A wish as the control API takes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    event: SimEvent,
    /// The handler.
    to: String,
    /// The application; the one that is known from the start if not given.
    #[serde(default = "demo")]
    client_id: String,
}

fn demo() -> String {
    DEMO_CLIENT_ID.to_owned()
}

/// Lets an event happen and tells the handler of it; the answer is the handler's status.
pub async fn event(State(shared): State<Shared>, body: Bytes) -> Response {
    let refused = |status, why: String| (status, Json(json!({"ok": false, "error": why}))).into_response();
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(error) => return refused(StatusCode::BAD_REQUEST, error.to_string()),
    };
    let now = shared.now();
    let Some(form) = happen(&mut shared.bitrix(), wish.event, &wish.client_id, now) else {
        return refused(StatusCode::BAD_REQUEST, format!("there is no app `{}`", wish.client_id));
    };
    match post(&wish.to, form).await {
        Ok(status) => Json(json!({"ok": true, "status": status})).into_response(),
        // Its address is left out, as a handler's may hold a key.
        Err(error) => refused(StatusCode::BAD_GATEWAY, error.without_url().to_string()),
    }
}

/// Posts an event as the portal does, and gives the handler's status.
pub async fn post(to: &str, form: String) -> Result<u16, reqwest::Error> {
    // Another part of this process may have installed it already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().build()?;
    let form = client.post(to).header("content-type", "application/x-www-form-urlencoded").body(form);
    Ok(form.send().await?.status().as_u16())
}
