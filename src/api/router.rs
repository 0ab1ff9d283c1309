//! [`router`]: all routes, behind all doors.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

use crate::api::app::App;
use crate::api::doors::{Doorman, guarded, known_actor, known_host, panicked, to_the_end};
use crate::api::problem::Problem;
use crate::api::routes::Routes;
use crate::api::templates;
use crate::api::{acks, events, hooks, orders, people, processes, schedules, shelves, status, tasks};
use crate::desk::need::Need;
use crate::gate::doors::Doors;

/// Where the API describes itself.
const DESCRIPTION: &str = "/api/openapi.json";
/// The largest body that is read whole. A process that allows larger params takes them as NDJSON.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All routes and the document that describes them.
pub fn described() -> (Router<App>, OpenApi, Doors) {
    let (router, paths, mut doors) = Routes::new()
        .merge(processes::routes())
        .merge(schedules::routes())
        .merge(templates::routes())
        .merge(tasks::routes())
        .merge(orders::routes())
        .merge(shelves::routes())
        .merge(people::routes())
        .merge(events::routes())
        .merge(status::routes())
        .merge(hooks::routes())
        .merge(acks::routes())
        .split();
    doors.add(Method::GET, DESCRIPTION, Need::Known);
    let info = InfoBuilder::new()
        .title("Beltline")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Durable processes: submit tasks, look at them, give them orders."));
    let mut api = OpenApiBuilder::from(paths)
        .info(info.build())
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .build();
    // What the router calls `{*path}`, the document calls `{path}`.
    let starred: Vec<String> = api.paths.paths.keys().filter(|it| it.contains("{*")).cloned().collect();
    for path in starred {
        if let Some(item) = api.paths.paths.remove(&path) {
            api.paths.paths.insert(path.replace("{*", "{"), item);
        }
    }
    if let Some(components) = &mut api.components {
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
    (router, api, doors)
}

/// All routes, behind all doors.
pub fn router(app: App) -> Router {
    let (router, api, doors) = described();
    let man = Doorman { app: app.clone(), doors: Arc::new(doors) };
    let pages = app.pages.clone().unwrap_or_default();
    router
        .route(DESCRIPTION, get(async move || Json(api)))
        .fallback(nowhere)
        .layer(from_fn_with_state(man, known_actor))
        // Pages know people by their sessions, at a door of their own.
        .merge(pages.with_state(()))
        .layer(from_fn(to_the_end))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), known_host))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), guarded))
        .with_state(app)
}

async fn nowhere(request: Request) -> impl IntoResponse {
    let detail = format!("there is nothing at `{}`", request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
}
