//! How it goes: `/api/v1/status`, `/healthz`, `/readyz`, `/metrics`.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::Who;
use crate::engine::expiries::ExpiringValue;
use crate::model::time::Timestamp;
use crate::service::actor::Right;
use crate::service::checks::CheckStatus;
use crate::service::permission::Permission;
use crate::service::status::Status;

/// Of how many tasks the metrics tell when their values die: what Prometheus takes with ease.
const EXPIRIES_SHOWN: usize = 1_000;
const EXPIRES_AT: &str = "beltline_param_expires_at_seconds";
const WARN_AT: &str = "beltline_param_warn_at_seconds";
const UNLISTED: &str = "beltline_param_expiries_unlisted";

/// The routes.
pub fn routes() -> Routes {
    Routes::of("status")
        .add(Permission::Everywhere(Right::Read), routes!(status))
        .add(Permission::Everywhere(Right::Run), routes!(check_store))
        .add(Permission::Nothing, routes!(healthz))
        .add(Permission::Nothing, routes!(readyz))
        .add(Permission::Everywhere(Right::Read), routes!(metrics))
}

/// How it goes, for `doctor` and whoever watches.
#[utoipa::path(get, path = "/api/v1/status", tag = "status", responses((status = 200, body = Status)))]
async fn status(State(app): State<App>, Who(by): Who) -> Result<Json<Status>, ApiProblem> {
    Ok(Json(app.service.status(&by).await?))
}

/// Begins a check of the store, which opens every row of it, unless one is under way. It ends some time after
/// this: `check` of `/api/v1/status` tells how far it is, and what it found.
#[utoipa::path(post, path = "/api/v1/status/check", tag = "status",
    responses((status = 202, body = CheckStatus)))]
async fn check_store(
    State(app): State<App>,
    Who(by): Who,
) -> Result<(StatusCode, Json<CheckStatus>), ApiProblem> {
    Ok((StatusCode::ACCEPTED, Json(app.service.begin_check(&by)?)))
}

/// The program runs.
#[utoipa::path(get, path = "/healthz", tag = "status",
    responses((status = 200, body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// The engine does its work: its runner's heart beats, and its store takes writes. 503 says what does not.
#[utoipa::path(get, path = "/readyz", tag = "status",
    responses((status = 200, body = String), (status = 503, description = "What does not work.")))]
async fn readyz(State(app): State<App>) -> Result<&'static str, ApiProblem> {
    if app.stop.is_cancelled() {
        return Err(ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the engine is stopping"));
    }
    app.service.ready().await?;
    Ok("ok\n")
}

/// Metrics, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "status",
    responses((status = 200, body = String), (status = 404, description = "No metrics are gathered.")))]
async fn metrics(State(app): State<App>, Who(by): Who) -> Result<Response, ApiProblem> {
    app.service.may_watch(&by)?;
    app.service.measure().await;
    let Some(metrics) = &app.metrics else {
        return Err(ApiProblem::new(StatusCode::NOT_FOUND, "no_metrics", "no metrics are gathered"));
    };
    let text = metrics() + &expiries(&app.service.soonest(EXPIRIES_SHOWN));
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// The values that die, as Prometheus reads them. Read from memory, and bounded: of a million tasks, those
/// that need a person soonest.
fn expiries((shown, all): &(Vec<ExpiringValue>, usize)) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a moment in seconds needs no more than 52 bits")]
    let seconds = |at: Timestamp| at.0 as f64 / 1_000.0;
    let mut dies =
        format!("# HELP {EXPIRES_AT} When the value of a param dies.\n# TYPE {EXPIRES_AT} gauge\n");
    let mut warn =
        format!("# HELP {WARN_AT} The last safe moment to wake a person.\n# TYPE {WARN_AT} gauge\n");
    for it in shown {
        let (process, reference) = (&it.address.process, escaped(it.address.reference.as_str()));
        for expiry in &it.expiries {
            let param = escaped(&expiry.param);
            let labels = format!("{{process=\"{process}\",ref=\"{reference}\",param=\"{param}\"}}");
            let _ = writeln!(dies, "{EXPIRES_AT}{labels} {}", seconds(expiry.expires_at));
            let _ = writeln!(warn, "{WARN_AT}{labels} {}", seconds(expiry.warn_at));
        }
    }
    let unlisted = all - shown.len();
    format!(
        "{dies}{warn}# HELP {UNLISTED} Live tasks with values that die beyond those listed.\n\
         # TYPE {UNLISTED} gauge\n{UNLISTED} {unlisted}\n"
    )
}

/// A label's value as Prometheus reads it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
