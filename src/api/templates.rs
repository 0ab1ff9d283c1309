//! `/api/v1/templates`: what there is to clone.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::problem::Problem;
use crate::api::routes::Routes;
use crate::api::take::{At, Read, Who};
use crate::desk::actor::Right;
use crate::desk::cloning::{Cloned, Cloning, TemplateView};
use crate::desk::need::Need;
use crate::desk::view::Page;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .add(Need::Known, routes!(list))
        .add(Need::Known, routes!(get))
        .add(Need::Somewhere(Right::Edit), routes!(clone))
}

/// All templates, without their texts.
#[utoipa::path(get, path = "/api/v1/templates", tag = "templates",
    responses((status = 200, body = Page<TemplateView>)))]
async fn list(State(app): State<App>, _: Who) -> Json<Page<TemplateView>> {
    Json(app.desk.templates())
}

/// One template, with its text.
#[utoipa::path(get, path = "/api/v1/templates/{name}", tag = "templates", params(("name" = String, Path)),
    responses((status = 200, body = TemplateView)))]
async fn get(State(app): State<App>, _: Who, At(name): At<String>) -> Result<Json<TemplateView>, Problem> {
    Ok(Json(app.desk.template(&name)?))
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
    request_body = CloneBody, responses((status = 201, body = Cloned)))]
async fn clone(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
    Read(body): Read<CloneBody>,
) -> Result<(StatusCode, Json<Cloned>), Problem> {
    let it = Cloning { name: body.r#as, title: body.title, values: body.values };
    Ok((StatusCode::CREATED, Json(app.desk.clone_template(&by, &name, it).await?)))
}
