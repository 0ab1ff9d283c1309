//! `/api/v1/processes/ID/schedule`: when a process submits tasks by itself.

use axum::Json;
use axum::extract::State;
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::{At, Who, process};
use crate::service::actor::Right;
use crate::service::permission::Permission;
use crate::service::schedule_views::ScheduleView;
use crate::service::view::ListPage;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("schedules")
        .add(Permission::Here(Right::Read), routes!(list))
        .add(Permission::Here(Right::Edit), routes!(pause))
        .add(Permission::Here(Right::Edit), routes!(resume))
}

/// The schedules of a process, each with its next five times.
#[utoipa::path(get, path = "/api/v1/processes/{id}/schedule", tag = "processes",
    params(("id" = String, Path)), responses((status = 200, body = ListPage<ScheduleView>)))]
async fn list(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
) -> Result<Json<ListPage<ScheduleView>>, ApiProblem> {
    Ok(Json(app.service.schedules(&by, &process(&id)?).await?))
}

/// Lets a schedule rest. What it would have submitted meanwhile is not made up for.
#[utoipa::path(post, path = "/api/v1/processes/{id}/schedule/{name}/pause", tag = "processes",
    params(("id" = String, Path), ("name" = String, Path)), responses((status = 200, body = ScheduleView)))]
async fn pause(
    State(app): State<App>,
    Who(by): Who,
    At((id, name)): At<(String, String)>,
) -> Result<Json<ScheduleView>, ApiProblem> {
    Ok(Json(app.service.pause_schedule(&by, &process(&id)?, &name).await?))
}

/// Lets it go on, from now.
#[utoipa::path(post, path = "/api/v1/processes/{id}/schedule/{name}/resume", tag = "processes",
    params(("id" = String, Path), ("name" = String, Path)), responses((status = 200, body = ScheduleView)))]
async fn resume(
    State(app): State<App>,
    Who(by): Who,
    At((id, name)): At<(String, String)>,
) -> Result<Json<ScheduleView>, ApiProblem> {
    Ok(Json(app.service.resume_schedule(&by, &process(&id)?, &name).await?))
}
