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
use crate::api::problem::Problem;
use crate::api::routes::Routes;
use crate::api::take::{At, Read, Who};
use crate::desk::actor::Right;
use crate::desk::channels::{ChannelView, TestView};
use crate::desk::need::Need;
use crate::desk::shelves::{SecretView, VarView};
use crate::desk::tokens::{TokenView, Wanted};
use crate::desk::view::Page;
use crate::model::names::ProcessId;
use crate::model::time::Timestamp;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("shelves")
        .add(Need::Everywhere(Right::Read), routes!(channels))
        .add(Need::Everywhere(Right::Secrets), routes!(put_channel))
        .add(Need::Everywhere(Right::Secrets), routes!(delete_channel))
        .add(Need::Everywhere(Right::Run), routes!(test_channel))
        .add(Need::Everywhere(Right::Secrets), routes!(secrets))
        .add(Need::Everywhere(Right::Secrets), routes!(put_secret))
        .add(Need::Everywhere(Right::Secrets), routes!(delete_secret))
        .add(Need::Everywhere(Right::Read), routes!(vars))
        .add(Need::Everywhere(Right::Edit), routes!(put_var))
        .add(Need::Everywhere(Right::Edit), routes!(delete_var))
        .add(Need::Everywhere(Right::Admin), routes!(tokens))
        .add(Need::Everywhere(Right::Admin), routes!(make_token))
        .add(Need::Everywhere(Right::Admin), routes!(delete_token))
}

/// All channels; their keys are masked.
#[utoipa::path(get, path = "/api/v1/channels", tag = "channels",
    responses((status = 200, body = Page<ChannelView>)))]
async fn channels(State(app): State<App>, Who(by): Who) -> Result<Json<Page<ChannelView>>, Problem> {
    Ok(Json(app.desk.channels(&by).await?))
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
    Read(body): Read<ChannelBody>,
) -> Result<Json<ChannelView>, Problem> {
    Ok(Json(app.desk.set_channel(&by, &name, &body.via, body.config).await?))
}

/// Forgets a channel.
#[utoipa::path(delete, path = "/api/v1/channels/{name}", tag = "channels", params(("name" = String, Path)),
    responses((status = 204), (status = 409)))]
async fn delete_channel(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, Problem> {
    app.desk.forget_channel(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a real message and says what came back.
#[utoipa::path(post, path = "/api/v1/channels/{name}/test", tag = "channels", params(("name" = String, Path)),
    responses((status = 200, body = TestView)))]
async fn test_channel(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<Json<TestView>, Problem> {
    Ok(Json(app.desk.test_channel(&by, &name).await?))
}

/// The names of all secrets, never what they are.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets",
    responses((status = 200, body = Page<SecretView>)))]
async fn secrets(State(app): State<App>, Who(by): Who) -> Result<Json<Page<SecretView>>, Problem> {
    Ok(Json(app.desk.secrets(&by).await?))
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
    Read(body): Read<SecretBody>,
) -> Result<Json<SecretView>, Problem> {
    Ok(Json(app.desk.set_secret(&by, &name, body.value, body.hosts).await?))
}

/// Forgets a secret.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}", tag = "secrets", params(("name" = String, Path)),
    responses((status = 204)))]
async fn delete_secret(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, Problem> {
    app.desk.forget_secret(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All variables.
#[utoipa::path(get, path = "/api/v1/vars", tag = "vars", responses((status = 200, body = Page<VarView>)))]
async fn vars(State(app): State<App>, Who(by): Who) -> Result<Json<Page<VarView>>, Problem> {
    Ok(Json(app.desk.vars(&by).await?))
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
    Read(body): Read<VarBody>,
) -> Result<Json<VarView>, Problem> {
    Ok(Json(app.desk.set_var(&by, &name, body.value).await?))
}

/// Forgets a variable.
#[utoipa::path(delete, path = "/api/v1/vars/{name}", tag = "vars", params(("name" = String, Path)),
    responses((status = 204)))]
async fn delete_var(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, Problem> {
    app.desk.forget_var(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All tokens, never what they are.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens",
    responses((status = 200, body = Page<TokenView>)))]
async fn tokens(State(app): State<App>, Who(by): Who) -> Result<Json<Page<TokenView>>, Problem> {
    Ok(Json(app.desk.tokens(&by)?))
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
    Read(body): Read<TokenBody>,
) -> Result<(StatusCode, Json<TokenView>), Problem> {
    let expires = body.expires.map(|it| Timestamp(it.as_millisecond()));
    let wanted = Wanted { name: body.name, scopes: body.scopes, processes: body.processes, expires };
    Ok((StatusCode::CREATED, Json(app.desk.make_token(&by, wanted).await?)))
}

/// Forgets a token; it opens nothing from now on.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "tokens", params(("name" = String, Path)),
    responses((status = 204)))]
async fn delete_token(
    State(app): State<App>,
    Who(by): Who,
    At(name): At<String>,
) -> Result<StatusCode, Problem> {
    app.desk.forget_token(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
