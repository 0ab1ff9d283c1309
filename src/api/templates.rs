//! `/api/v1/templates`: what there is to clone, and what became of it since: `/api/v1/processes/ID/template`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::{At, JsonOf, Who, process};
use crate::model::names::NodeName;
use crate::service::actor::Right;
use crate::service::cloning::{Cloned, Cloning, TemplateView};
use crate::service::permission::Permission;
use crate::service::upstream::{Update, Updated, UpstreamView};
use crate::service::view::ListPage;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("templates")
        .add(Permission::Known, routes!(list))
        .add(Permission::Known, routes!(get))
        .add(Permission::Somewhere(Right::Edit), routes!(clone))
        .add(Permission::Somewhere(Right::Edit), routes!(clone_process))
        .add(Permission::Here(Right::Read), routes!(upstream))
        .add(Permission::Here(Right::Edit), routes!(update))
}

/// All templates, without their texts.
#[utoipa::path(get, path = "/api/v1/templates", tag = "templates",
    responses((status = 200, body = ListPage<TemplateView>)))]
async fn list(State(app): State<App>, _: Who) -> Json<ListPage<TemplateView>> {
    Json(app.service.templates())
}

/// One template, with its text.
#[utoipa::path(get, path = "/api/v1/templates/{name}", tag = "templates", params(("name" = String, Path)),
    responses((status = 200, body = TemplateView)))]
async fn get(State(app): State<App>, _: Who, At(name): At<String>) -> Result<Json<TemplateView>, ApiProblem> {
    Ok(Json(app.service.template(&name)?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloneBody {
    /// The id of the process.
    r#as: String,
    /// Another title.
    title: Option<String>,
    /// Defaults for its params.
    #[serde(default)]
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

/// Makes a process of a template: writes its file and deploys it.
#[utoipa::path(post, path = "/api/v1/templates/{name}/clone", tag = "templates",
    params(("name" = String, Path)),
    request_body = CloneBody, responses((status = 201, body = Cloned), (status = 409)))]
async fn clone(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
    JsonOf(body): JsonOf<CloneBody>,
) -> Result<(StatusCode, Json<Cloned>), ApiProblem> {
    let it = Cloning { name: body.r#as, title: body.title, values: body.values };
    Ok((StatusCode::CREATED, Json(app.service.clone_template(&by, &name, it).await?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CopyBody {
    /// The id of the new process.
    r#as: String,
    /// Another title.
    title: Option<String>,
}

/// Makes another process of the present text of one: writes its file and deploys it. No task goes along, and
/// no secret.
#[utoipa::path(post, path = "/api/v1/processes/{id}/clone", tag = "processes",
    params(("id" = String, Path)),
    request_body = CopyBody, responses((status = 201, body = Cloned), (status = 409)))]
async fn clone_process(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
    JsonOf(body): JsonOf<CopyBody>,
) -> Result<(StatusCode, Json<Cloned>), ApiProblem> {
    let done = app.service.clone_process(&by, &process(&id)?, &body.r#as, body.title.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(done)))
}

/// What changed in the template of a process since it was cloned, as a unified diff.
#[utoipa::path(get, path = "/api/v1/processes/{id}/template", tag = "templates",
    params(("id" = String, Path)),
    responses((status = 200, body = UpstreamView), (status = 409), (status = 422)))]
async fn upstream(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
) -> Result<Json<UpstreamView>, ApiProblem> {
    Ok(Json(app.service.upstream(&by, &process(&id)?).await?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct UpdateBody {
    /// Only say what would be.
    dry_run: bool,
    /// Where tasks go whose node is no more.
    #[schema(value_type = Object)]
    r#move: BTreeMap<NodeName, NodeName>,
}

/// Takes over what changed in the template: three texts are merged, and the result is checked, written and
/// deployed. If the process and its template have both changed the same lines, nothing is: 409
/// `merge_conflicts` lists them.
#[utoipa::path(post, path = "/api/v1/processes/{id}/template/update", tag = "templates",
    params(("id" = String, Path)), request_body = UpdateBody,
    responses((status = 200, body = Updated), (status = 409)))]
async fn update(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
    JsonOf(body): JsonOf<UpdateBody>,
) -> Result<Json<Updated>, ApiProblem> {
    let how = Update { dry_run: body.dry_run, moves: body.r#move };
    Ok(Json(app.service.update_from_template(&by, &process(&id)?, how).await?))
}
