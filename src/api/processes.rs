//! `/api/v1/processes`: deploying and looking at processes.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::{At, QueryOf, ReadText, Who, process};
use crate::model::names::NodeName;
use crate::service::actor::Right;
use crate::service::changes::ChangesView;
use crate::service::deploy::{Deployment, Report};
use crate::service::flow::FlowView;
use crate::service::permission::Permission;
use crate::service::processes::{Picture, ProcessView, VersionView};
use crate::service::view::ListPage;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("processes")
        .add(Permission::Somewhere(Right::Read), routes!(list))
        .add(Permission::Here(Right::Read), routes!(get))
        .add(Permission::Here(Right::Edit), routes!(put))
        .add(Permission::Here(Right::Edit), routes!(delete))
        .add(Permission::Here(Right::Read), routes!(versions))
        .add(Permission::Here(Right::Read), routes!(version))
        .add(Permission::Here(Right::Read), routes!(diff))
        .add(Permission::Here(Right::Read), routes!(flow))
        .add(Permission::Here(Right::Read), routes!(graph))
        .add(Permission::Here(Right::Edit), routes!(pause))
        .add(Permission::Here(Right::Edit), routes!(resume))
        .add(Permission::Known, routes!(check))
        .add(Permission::Known, routes!(schema))
}

/// The processes you may see, without their nodes.
#[utoipa::path(get, path = "/api/v1/processes", tag = "processes",
    responses((status = 200, body = ListPage<ProcessView>)))]
async fn list(State(app): State<App>, Who(by): Who) -> Result<Json<ListPage<ProcessView>>, ApiProblem> {
    Ok(Json(app.service.processes(&by).await?))
}

/// One process.
#[utoipa::path(get, path = "/api/v1/processes/{id}", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = ProcessView)))]
async fn get(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
) -> Result<Json<ProcessView>, ApiProblem> {
    Ok(Json(app.service.process(&by, &process(&id)?).await?))
}

/// Deploys a process: the body is its YAML text. `?move=old:new`, as often as needed, says where tasks go
/// whose node is no more; `?dry_run=true` only says what would be.
#[utoipa::path(put, path = "/api/v1/processes/{id}", tag = "processes",
    params(("id" = String, Path),
        ("move" = Option<Vec<String>>, Query, description = "Where tasks go whose node is gone: `old:new`."),
        ("dry_run" = Option<bool>, Query, description = "Only say what would be.")),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = Report), (status = 201, body = Report), (status = 409)))]
async fn put(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
    RawQuery(query): RawQuery,
    ReadText(text): ReadText,
) -> Result<(StatusCode, Json<Report>), ApiProblem> {
    let mut it = Deployment { text, expected: Some(process(&id)?), ..Deployment::default() };
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match (&*name, &*value) {
            ("dry_run", "true" | "") => it.dry_run = true,
            ("dry_run", "false") => it.dry_run = false,
            ("move", value) => {
                let (old, new) = moved(value)?;
                it.moves.insert(old, new);
            }
            (name, _) => {
                let detail = format!("unknown field `{name}`, expected `dry_run` or `move`");
                return Err(ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_query", detail));
            }
        }
    }
    let report = app.service.deploy(&by, it).await?;
    Ok((if report.created { StatusCode::CREATED } else { StatusCode::OK }, Json(report)))
}

fn moved(text: &str) -> Result<(NodeName, NodeName), ApiProblem> {
    let bad = |detail: String| ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_move", detail);
    let (old, new) = text
        .split_once(':')
        .ok_or_else(|| bad(format!("`{text}` is no move; hint: write `move=old:new`")))?;
    let name = |it: &str| NodeName::new(it).map_err(|it| bad(it.to_string()));
    Ok((name(old)?, name(new)?))
}

/// Forgets a process that has no live tasks.
#[utoipa::path(delete, path = "/api/v1/processes/{id}", tag = "processes", params(("id" = String, Path)),
    responses((status = 204), (status = 409)))]
async fn delete(State(app): State<App>, Who(by): Who, At(id): At<String>) -> Result<StatusCode, ApiProblem> {
    app.service.delete(&by, &process(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All versions there were, the newest first.
#[utoipa::path(get, path = "/api/v1/processes/{id}/versions", tag = "processes",
    params(("id" = String, Path)),
    responses((status = 200, body = ListPage<VersionView>)))]
async fn versions(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
) -> Result<Json<ListPage<VersionView>>, ApiProblem> {
    Ok(Json(app.service.versions(&by, &process(&id)?).await?))
}

/// One version, with its text.
#[utoipa::path(get, path = "/api/v1/processes/{id}/versions/{version}", tag = "processes",
    params(("id" = String, Path), ("version" = String, Path)), responses((status = 200, body = VersionView)))]
async fn version(
    State(app): State<App>,
    Who(by): Who,
    At((id, version)): At<(String, String)>,
) -> Result<Json<VersionView>, ApiProblem> {
    Ok(Json(app.service.version(&by, &process(&id)?, &version).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DiffQuery {
    /// The version it is told from; the one before `to` if nothing is said.
    from: Option<String>,
    /// The version it is told to; the one that runs now if nothing is said.
    to: Option<String>,
}

/// What changed from one version to another, as a unified diff.
#[utoipa::path(get, path = "/api/v1/processes/{id}/diff", tag = "processes",
    params(("id" = String, Path), DiffQuery), responses((status = 200, body = ChangesView)))]
async fn diff(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
    QueryOf(it): QueryOf<DiffQuery>,
) -> Result<Json<ChangesView>, ApiProblem> {
    Ok(Json(app.service.changes(&by, &process(&id)?, it.from.as_deref(), it.to.as_deref()).await?))
}

/// How many tasks came in and ended in each of the last 24 hours.
#[utoipa::path(get, path = "/api/v1/processes/{id}/flow", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = FlowView)))]
async fn flow(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
) -> Result<Json<FlowView>, ApiProblem> {
    Ok(Json(app.service.flow(&by, &process(&id)?)?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct GraphQuery {
    /// `svg` (the default), `mermaid` or `json`.
    #[serde(default)]
    #[param(value_type = Option<Format>, inline)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Svg,
    Mermaid,
    Json,
}

/// The picture of a process.
#[utoipa::path(get, path = "/api/v1/processes/{id}/graph", tag = "processes",
    params(("id" = String, Path), GraphQuery),
    responses((status = 200, content((String = "image/svg+xml"), (String = "text/plain"),
        (Object = "application/json")))))]
async fn graph(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
    QueryOf(query): QueryOf<GraphQuery>,
) -> Result<Response, ApiProblem> {
    let (picture, kind) = match query.format {
        Format::Svg => (Picture::Svg, "image/svg+xml"),
        Format::Mermaid => (Picture::Mermaid, "text/plain; charset=utf-8"),
        Format::Json => (Picture::Json, "application/json"),
    };
    let text = app.service.picture(&by, &process(&id)?, picture)?;
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Lets a process rest: tasks are taken in, and none moves.
#[utoipa::path(post, path = "/api/v1/processes/{id}/pause", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = ProcessView)))]
async fn pause(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
) -> Result<Json<ProcessView>, ApiProblem> {
    Ok(Json(app.service.pause(&by, &process(&id)?).await?))
}

/// Lets it go on.
#[utoipa::path(post, path = "/api/v1/processes/{id}/resume", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = ProcessView)))]
async fn resume(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
) -> Result<Json<ProcessView>, ApiProblem> {
    Ok(Json(app.service.resume(&by, &process(&id)?).await?))
}

/// All that is wrong with a text. The answer is 200 whatever that is.
#[utoipa::path(post, path = "/api/v1/check", tag = "processes",
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = Object)))]
async fn check(State(app): State<App>, _: Who, ReadText(text): ReadText) -> Result<Json<Value>, ApiProblem> {
    let problems = app.service.check(&text).await?;
    let shown = crate::process::problem::render(&problems, &text, false);
    Ok(Json(json!({"problems": problems, "text": shown})))
}

/// The JSON Schema of a process file, for editors.
#[utoipa::path(get, path = "/api/v1/schema", tag = "processes", responses((status = 200, body = Object)))]
async fn schema(_: Who) -> Json<Value> {
    Json(crate::process::schema::schema())
}
