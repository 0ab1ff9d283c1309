//! [`router`]: all routes, behind all doors.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::info::LicenseBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, Server};
use utoipa_axum::routes;

use crate::api::answers::share;
use crate::api::app::App;
use crate::api::auth::{AuthLayer, guarded, known_actor, panicked};
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::BODY_BYTES_MAX;
use crate::api::templates;
use crate::api::{acks, collections, commands, events, hooks, people, processes, schedules, status, tasks};
use crate::middleware::routes::RouteTable;
use crate::service::permission::Permission;

/// As Cargo has it.
const LICENSE: &str = env!("CARGO_PKG_LICENSE");
/// What the routes are about.
const TAGS: [(&str, &str); 13] = [
    ("processes", "Deploying processes and looking at them."),
    ("templates", "What there is to clone, and what became of it since."),
    ("tasks", "Submitting tasks and looking at them."),
    ("commands", "What a person or a program may want done with a task."),
    ("events", "What happens, as it happens."),
    ("hooks", "The ways in without a token: named hooks, links, and OAuth redirects."),
    ("channels", "The ways to reach a person."),
    ("secrets", "What processes may use and nobody may see."),
    ("vars", "What processes share."),
    ("tokens", "What programs come in with."),
    ("users", "People, and where they are logged in."),
    ("audit", "Who did what."),
    ("status", "How it goes, and what there is."),
];
/// All routes and the document that describes them.
pub fn described() -> (Router<App>, OpenApi, RouteTable) {
    let (router, paths, doors) = Routes::of("document")
        .add(Permission::Known, routes!(document))
        .merge(processes::routes())
        .merge(schedules::routes())
        .merge(templates::routes())
        .merge(tasks::routes())
        .merge(commands::routes())
        .merge(collections::routes())
        .merge(people::routes())
        .merge(events::routes())
        .merge(status::routes())
        .merge(hooks::routes())
        .merge(acks::routes())
        .split();
    let info = InfoBuilder::new()
        .title("Beltline")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Durable processes: submit tasks, look at them, give them commands."))
        .license(Some(LicenseBuilder::new().name(LICENSE).identifier(Some(LICENSE)).build()));
    let tags = TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    let mut api = OpenApiBuilder::from(paths)
        .info(info.build())
        .servers(Some([Server::new("/")]))
        .tags(Some(tags))
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
    share(&mut api);
    (router, api, doors)
}

/// All routes, behind all doors.
pub fn router(app: App) -> Router {
    let (router, _, doors) = described();
    let man = AuthLayer { app: app.clone(), routes: Arc::new(doors) };
    let pages = app.pages.clone().unwrap_or_default();
    router
        .fallback(nowhere)
        .layer(from_fn_with_state(man, known_actor))
        // Pages know people by their sessions, at a door of their own.
        .merge(pages.with_state(()))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), guarded))
        .with_state(app)
}

/// What there is, as OpenAPI 3.1 has it.
#[utoipa::path(get, path = "/api/openapi.json", tag = "status", responses((status = 200, body = Object)))]
async fn document() -> impl IntoResponse {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| described().1.to_json().expect("a document of strings and maps is written as JSON"));
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

async fn nowhere(State(app): State<App>, request: Request) -> Response {
    let request = match hooks::beside(&app, request).await {
        Ok(response) => return response,
        Err(request) => request,
    };
    let detail = format!("there is nothing at `{}`", request.uri().path());
    ApiProblem::new(StatusCode::NOT_FOUND, "no_such_path", detail).into_response()
}
