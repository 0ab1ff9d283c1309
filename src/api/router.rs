//! [`router`]: all routes, behind all doors.

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::api::app::App;
use crate::api::doors::{known_actor, known_host, panicked, to_the_end, with_headers};
use crate::api::problem::Problem;
use crate::api::{acks, events, hooks, orders, processes, schedules, shelves, status, tasks, templates};

/// The largest body that is read whole. A process that allows larger params takes them as NDJSON.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All routes and the document that describes them.
pub fn described() -> (Router<App>, OpenApi) {
    let (router, paths) = OpenApiRouter::new()
        .merge(processes::routes())
        .merge(schedules::routes())
        .merge(templates::routes())
        .merge(tasks::routes())
        .merge(orders::routes())
        .merge(shelves::routes())
        .merge(events::routes())
        .merge(status::routes())
        .merge(hooks::routes())
        .merge(acks::routes())
        .split_for_parts();
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
    (router, api)
}

/// All routes, behind all doors.
pub fn router(app: App) -> Router {
    let (router, api) = described();
    let pages = app.pages.clone().unwrap_or_default();
    router
        .route("/api/openapi.json", get(async move || Json(api)))
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .layer(from_fn_with_state(app.clone(), known_actor))
        // Pages know people by their sessions, at a door of their own.
        .merge(pages.with_state(()))
        .layer(from_fn(to_the_end))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), known_host))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(with_headers))
        .with_state(app)
}

async fn nowhere(request: Request) -> impl IntoResponse {
    let detail = format!("there is nothing at `{}`", request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
}

async fn not_so(request: Request) -> impl IntoResponse {
    let detail = format!("`{}` does not take {}", request.uri().path(), request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
