//! How it goes: `/api/v1/status`, `/api/v1/audit`, `/healthz`, `/readyz`, `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::problem::Problem;
use crate::api::take::Who;
use crate::desk::status::{AuditView, Status};
use crate::desk::view::Page;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(audit))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
}

/// How it goes, for `doctor` and whoever watches.
#[utoipa::path(get, path = "/api/v1/status", tag = "status", responses((status = 200, body = Status)))]
async fn status(State(app): State<App>, Who(by): Who) -> Result<Json<Status>, Problem> {
    Ok(Json(app.desk.status(&by).await?))
}

/// Who did what, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "status",
    responses((status = 200, body = Page<AuditView>)))]
async fn audit(State(app): State<App>, Who(by): Who) -> Result<Json<Page<AuditView>>, Problem> {
    Ok(Json(app.desk.audit_lines(&by).await?))
}

/// The program runs.
#[utoipa::path(get, path = "/healthz", tag = "status",
    responses((status = 200, body = String)), security(()))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// The program runs, and its store answers.
#[utoipa::path(get, path = "/readyz", tag = "status", responses((status = 200, body = String)), security(()))]
async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    if app.stop.is_cancelled() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the engine is stopping"));
    }
    app.desk.ready().await?;
    Ok("ok\n")
}

/// Metrics, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "status", responses((status = 200, body = String)))]
async fn metrics(State(app): State<App>, Who(by): Who) -> Result<Response, Problem> {
    app.desk.may_watch(&by)?;
    app.desk.measure().await?;
    let Some(metrics) = &app.metrics else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_metrics", "no metrics are gathered"));
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics()).into_response())
}
