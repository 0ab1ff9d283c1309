//! `/hooks/PROCESS/KEY/ack`: a link in an alarm acknowledges it. The key is the right.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::hooks::{refused, wants_page};
use crate::api::pages::{asks_to, says};
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::{At, process};
use crate::service::acks::Acked;
use crate::service::permission::Permission;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("acks").add(Permission::Key, routes!(look)).add(Permission::Key, routes!(acknowledge))
}

/// Asks a person whether the alarm is acknowledged. Nothing happens: mail scanners and messengers follow
/// links.
#[utoipa::path(get, path = "/hooks/{process}/{key}/ack", tag = "hooks",
    params(("process" = String, Path), ("key" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html"), (status = 410)))]
async fn look(State(app): State<App>, At((id, key)): At<(String, String)>, headers: HeaderMap) -> Response {
    let bell = async { Ok(app.service.bell(&process(&id)?, &key).await?) };
    match bell.await {
        Ok(bell) => {
            let about = format!(
                "Task {} of {}. You acknowledge its alarm: nobody else is told, and there are no more \
                 reminders. The task itself goes on as before.",
                bell.reference, bell.process
            );
            asks_to("Acknowledge", &bell.title, &about, &[])
        }
        Err(problem) => refused(&headers, problem),
    }
}

/// Acknowledges the alarm, once.
#[utoipa::path(post, path = "/hooks/{process}/{key}/ack", tag = "hooks",
    params(("process" = String, Path), ("key" = String, Path)),
    responses((status = 200, content((Object = "application/json"), (String = "text/html"))),
        (status = 202, content((Object = "application/json"), (String = "text/html"))), (status = 410)))]
async fn acknowledge(
    State(app): State<App>,
    At((id, key)): At<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let acked: Result<Acked, ApiProblem> =
        async { Ok(app.service.acknowledge(&process(&id)?, &key).await?) }.await;
    let (status, word, text) = match acked {
        Ok(Acked::Acknowledged) => (StatusCode::OK, "acknowledged", "Nobody is told more."),
        Ok(Acked::Kept) => (StatusCode::ACCEPTED, "kept", "It is kept, and will be read at once."),
        Err(problem) => return refused(&headers, problem),
    };
    match wants_page(&headers) {
        true => says(status, "Acknowledged", &format!("{text} You can close this page.")),
        false => (status, Json(json!({"result": word}))).into_response(),
    }
}
