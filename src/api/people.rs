//! `/api/v1/users`, `sessions`, `audit`, `me`: people, who of them is here, and what they did.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use zeroize::Zeroizing;

use crate::api::app::App;
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::{At, JsonOf, QueryOf, Who};
use crate::model::names::ProcessId;
use crate::service::actor::{Right, Role};
use crate::service::audit::{AuditView, WalkView};
use crate::service::permission::Permission;
use crate::service::sessions::SessionView;
use crate::service::users::{NewRole, NewUser, UserChange, UserView};
use crate::service::view::ListPage;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("people")
        .add(Permission::Known, routes!(me))
        .add(Permission::Everywhere(Right::Admin), routes!(users))
        .add(Permission::Everywhere(Right::Admin), routes!(make_user))
        .add(Permission::Everywhere(Right::Admin), routes!(user))
        .add(Permission::Everywhere(Right::Admin), routes!(change_user))
        .add(Permission::Everywhere(Right::Admin), routes!(delete_user))
        .add(Permission::Known, routes!(sessions))
        .add(Permission::Known, routes!(end_session))
        .add(Permission::Everywhere(Right::Admin), routes!(audit))
        .add(Permission::Everywhere(Right::Admin), routes!(verify_audit))
}

/// Who asks.
#[derive(Serialize, ToSchema)]
struct Me {
    /// The name.
    name: String,
    /// What they may do in all processes, and with what belongs to none.
    rights: Vec<Right>,
    /// What they may do beside that, by process.
    #[schema(value_type = Object)]
    processes: BTreeMap<ProcessId, Vec<Right>>,
}

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/api/v1/me", tag = "users", responses((status = 200, body = Me)))]
async fn me(Who(by): Who) -> Json<Me> {
    let within = by.rights.within.iter();
    Json(Me {
        name: by.name.clone(),
        rights: by.rights.everywhere.iter().copied().collect(),
        processes: within.map(|(id, them)| (id.clone(), them.iter().copied().collect())).collect(),
    })
}

/// All users, by name.
#[utoipa::path(get, path = "/api/v1/users", tag = "users",
    responses((status = 200, body = ListPage<UserView>)))]
async fn users(State(app): State<App>, Who(by): Who) -> Result<Json<ListPage<UserView>>, ApiProblem> {
    Ok(Json(app.service.users(&by)?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserBody {
    /// Their name.
    name: String,
    /// Their password.
    #[schema(value_type = String)]
    password: Zeroizing<String>,
    /// `viewer`, `operator`, `editor` or `admin` of all processes, or null.
    #[serde(default)]
    role: Option<Role>,
    /// The same, beside that, by process.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Role>)]
    processes: BTreeMap<ProcessId, Role>,
}

/// Makes a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = UserBody,
    responses((status = 201, body = UserView), (status = 409)))]
async fn make_user(
    State(app): State<App>,
    Who(by): Who,
    JsonOf(body): JsonOf<UserBody>,
) -> Result<(StatusCode, Json<UserView>), ApiProblem> {
    let UserBody { name, password, role, processes } = body;
    let new = NewUser { name, password, role, within: processes };
    Ok((StatusCode::CREATED, Json(app.service.make_user(&by, new).await?)))
}

/// One user.
#[utoipa::path(get, path = "/api/v1/users/{name}", tag = "users", params(("name" = String, Path)),
    responses((status = 200, body = UserView)))]
async fn user(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<Json<UserView>, ApiProblem> {
    Ok(Json(app.service.user(&by, &name)?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    /// A new role of all processes; `none` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    role: Option<NewRole>,
    /// New roles, beside that, by process; all of them.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    processes: Option<BTreeMap<ProcessId, Role>>,
    /// Whether they may log in.
    #[serde(default)]
    disabled: Option<bool>,
    /// A new password.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<Zeroizing<String>>,
}

/// Changes a user. A new password and being disabled end all their sessions; a role holds at once.
#[utoipa::path(patch, path = "/api/v1/users/{name}", tag = "users", params(("name" = String, Path)),
    request_body = ChangeBody, responses((status = 200, body = UserView), (status = 409)))]
async fn change_user(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
    JsonOf(body): JsonOf<ChangeBody>,
) -> Result<Json<UserView>, ApiProblem> {
    let ChangeBody { role, processes, disabled, password } = body;
    let change = UserChange { role, within: processes, disabled, password };
    Ok(Json(app.service.change_user(&by, &name, change).await?))
}

/// Forgets a user, unless it is the last admin.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "users", params(("name" = String, Path)),
    responses((status = 204), (status = 409)))]
async fn delete_user(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, ApiProblem> {
    app.service.forget_user(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is logged in on the dashboard: your own sessions, or for an admin all.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "users",
    responses((status = 200, body = ListPage<SessionView>)))]
async fn sessions(State(app): State<App>, Who(by): Who) -> Json<ListPage<SessionView>> {
    Json(app.service.sessions(&by))
}

/// Ends a session: one of your own, or for an admin any.
#[utoipa::path(delete, path = "/api/v1/sessions/{session}", tag = "users",
    params(("session" = String, Path)), responses((status = 204)))]
async fn end_session(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, ApiProblem> {
    app.service.end_session(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many, from 1 to 500; 50 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Who did what, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = ListPage<AuditView>)))]
async fn audit(
    State(app): State<App>,
    Who(by): Who,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<ListPage<AuditView>>, ApiProblem> {
    Ok(Json(app.service.audit_lines(&by, query.cursor.as_deref(), query.limit).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct VerifyQuery {
    /// An end that was noted before, `SEQ:HASH`: it must still be part of the chain.
    noted: Option<String>,
}

/// Whether every line of the audit is there, and as it was written. The answer is 200 whatever is found.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit", params(VerifyQuery),
    responses((status = 200, body = WalkView)))]
async fn verify_audit(
    State(app): State<App>,
    Who(by): Who,
    QueryOf(query): QueryOf<VerifyQuery>,
) -> Result<Json<WalkView>, ApiProblem> {
    Ok(Json(app.service.verify_audit(&by, query.noted.as_deref()).await?))
}
