//! `/api/v1/channels`, `secrets`, `vars`, `tokens`.

use std::collections::BTreeSet;

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
use crate::api::take::{At, JsonOf, Who};
use crate::model::names::ProcessId;
use crate::model::time::Timestamp;
use crate::service::actor::Right;
use crate::service::channels::{ChannelView, TestView};
use crate::service::collections::{SecretView, VarView};
use crate::service::permission::Permission;
use crate::service::tokens::{TokenView, Wanted};
use crate::service::view::ListPage;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("collections")
        .add(Permission::Everywhere(Right::Read), routes!(channels))
        .add(Permission::Everywhere(Right::Secrets), routes!(put_channel))
        .add(Permission::Everywhere(Right::Secrets), routes!(delete_channel))
        .add(Permission::Everywhere(Right::Run), routes!(test_channel))
        .add(Permission::Everywhere(Right::Secrets), routes!(secrets))
        .add(Permission::Everywhere(Right::Secrets), routes!(put_secret))
        .add(Permission::Everywhere(Right::Secrets), routes!(delete_secret))
        .add(Permission::Everywhere(Right::Read), routes!(vars))
        .add(Permission::Everywhere(Right::Edit), routes!(put_var))
        .add(Permission::Everywhere(Right::Edit), routes!(delete_var))
        .add(Permission::Everywhere(Right::Admin), routes!(tokens))
        .add(Permission::Everywhere(Right::Admin), routes!(make_token))
        .add(Permission::Everywhere(Right::Admin), routes!(delete_token))
}

/// All channels; their keys are masked.
#[utoipa::path(get, path = "/api/v1/channels", tag = "channels",
    responses((status = 200, body = ListPage<ChannelView>)))]
async fn channels(State(app): State<App>, Who(by): Who) -> Result<Json<ListPage<ChannelView>>, ApiProblem> {
    Ok(Json(app.service.channels(&by).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChannelBody {
    /// The kind of channel.
    via: String,
    /// Its settings; a key that is `***` stays as it is.
    #[serde(default)]
    #[schema(value_type = Object)]
    config: Map<String, Value>,
}

/// Sets up a channel.
#[utoipa::path(put, path = "/api/v1/channels/{name}", tag = "channels", params(("name" = String, Path)),
    request_body = ChannelBody, responses((status = 200, body = ChannelView), (status = 409)))]
async fn put_channel(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
    JsonOf(body): JsonOf<ChannelBody>,
) -> Result<Json<ChannelView>, ApiProblem> {
    Ok(Json(app.service.set_channel(&by, &name, &body.via, body.config).await?))
}

/// Forgets a channel.
#[utoipa::path(delete, path = "/api/v1/channels/{name}", tag = "channels", params(("name" = String, Path)),
    responses((status = 204), (status = 409)))]
async fn delete_channel(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, ApiProblem> {
    app.service.forget_channel(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a real message and says what came back.
#[utoipa::path(post, path = "/api/v1/channels/{name}/test", tag = "channels", params(("name" = String, Path)),
    responses((status = 200, body = TestView)))]
async fn test_channel(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<Json<TestView>, ApiProblem> {
    Ok(Json(app.service.test_channel(&by, &name).await?))
}

/// The names of all secrets, never what they are.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets",
    responses((status = 200, body = ListPage<SecretView>)))]
async fn secrets(State(app): State<App>, Who(by): Who) -> Result<Json<ListPage<SecretView>>, ApiProblem> {
    Ok(Json(app.service.secrets(&by).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecretBody {
    /// What it is.
    value: String,
    /// The only hosts it may be sent to; none: any.
    #[serde(default)]
    hosts: Vec<String>,
}

/// Sets a secret.
#[utoipa::path(put, path = "/api/v1/secrets/{name}", tag = "secrets", params(("name" = String, Path)),
    request_body = SecretBody, responses((status = 200, body = SecretView)))]
async fn put_secret(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
    JsonOf(body): JsonOf<SecretBody>,
) -> Result<Json<SecretView>, ApiProblem> {
    Ok(Json(app.service.set_secret(&by, &name, body.value, body.hosts).await?))
}

/// Forgets a secret.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}", tag = "secrets", params(("name" = String, Path)),
    responses((status = 204)))]
async fn delete_secret(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, ApiProblem> {
    app.service.forget_secret(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All variables.
#[utoipa::path(get, path = "/api/v1/vars", tag = "vars", responses((status = 200, body = ListPage<VarView>)))]
async fn vars(State(app): State<App>, Who(by): Who) -> Result<Json<ListPage<VarView>>, ApiProblem> {
    Ok(Json(app.service.vars(&by).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VarBody {
    /// What it is.
    value: Value,
}

/// Sets a variable.
#[utoipa::path(put, path = "/api/v1/vars/{name}", tag = "vars", params(("name" = String, Path)),
    request_body = VarBody, responses((status = 200, body = VarView)))]
async fn put_var(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
    JsonOf(body): JsonOf<VarBody>,
) -> Result<Json<VarView>, ApiProblem> {
    Ok(Json(app.service.set_var(&by, &name, body.value).await?))
}

/// Forgets a variable.
#[utoipa::path(delete, path = "/api/v1/vars/{name}", tag = "vars", params(("name" = String, Path)),
    responses((status = 204)))]
async fn delete_var(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, ApiProblem> {
    app.service.forget_var(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All tokens, never what they are.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens",
    responses((status = 200, body = ListPage<TokenView>)))]
async fn tokens(State(app): State<App>, Who(by): Who) -> Result<Json<ListPage<TokenView>>, ApiProblem> {
    Ok(Json(app.service.tokens(&by)?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    /// For people.
    name: String,
    /// `read`, `run`, `edit`, `secrets`, `admin`.
    #[schema(value_type = Vec<Right>)]
    scopes: BTreeSet<Right>,
    /// The only processes it opens; null: all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    processes: Option<BTreeSet<ProcessId>>,
    /// Until when, such as `2027-01-01T00:00:00Z`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<jiff::Timestamp>,
}

/// Makes a token. What it is stands only in this answer.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenBody,
    responses((status = 201, body = TokenView), (status = 409)))]
async fn make_token(
    State(app): State<App>,
    Who(by): Who,
    JsonOf(body): JsonOf<TokenBody>,
) -> Result<(StatusCode, Json<TokenView>), ApiProblem> {
    let expires = body.expires.map(|it| Timestamp(it.as_millisecond()));
    let wanted = Wanted { name: body.name, scopes: body.scopes, processes: body.processes, expires };
    Ok((StatusCode::CREATED, Json(app.service.make_token(&by, wanted).await?)))
}

/// Forgets a token; it opens nothing from now on.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "tokens", params(("name" = String, Path)),
    responses((status = 204)))]
async fn delete_token(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, ApiProblem> {
    app.service.forget_token(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
