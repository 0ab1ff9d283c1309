//! [`pages`]: all pages, behind all doors.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use crate::dashboard::assets::asset;
use crate::dashboard::dash::Dash;
use crate::dashboard::doors::{from_here, known, with_policy};
use crate::dashboard::links::HOME;
use crate::dashboard::page::Oops;
use crate::dashboard::picture::Pictures;
use crate::dashboard::sessions::Sessions;
use crate::dashboard::{about, add, channels, events, home, login, orders};
use crate::dashboard::{edit, process, search, task, templates};
use crate::desk::desk::Desk;

/// All pages, behind all doors.
pub fn pages(desk: Arc<Desk>, stop: CancellationToken) -> Router {
    let (sessions, pictures) = (Arc::new(Sessions::default()), Arc::new(Pictures::default()));
    let dash = Dash { desk, sessions, pictures, stop };
    Router::new()
        .route("/dashboard", get(home::look))
        .route("/dashboard/login", get(login::look).post(login::enter))
        .route("/dashboard/logout", post(login::leave))
        .route("/dashboard/search", get(search::look))
        .route("/dashboard/events", get(events::listen))
        .route("/dashboard/about", get(about::look))
        .route("/dashboard/templates", get(templates::gallery))
        .route("/dashboard/templates/{template}", get(templates::look).post(templates::clone))
        .route("/dashboard/channels", get(channels::list))
        .route("/dashboard/channels/set", get(channels::look).post(channels::set))
        .route("/dashboard/channels/test", post(channels::test))
        .route("/dashboard/channels/forget", post(channels::forget))
        .route("/dashboard/p/{process}", get(process::look))
        .route("/dashboard/p/{process}/pause", post(process::pause))
        .route("/dashboard/p/{process}/resume", post(process::resume))
        .route("/dashboard/p/{process}/yaml", get(process::yaml))
        .route("/dashboard/p/{process}/edit", get(edit::look).post(edit::deploy))
        .route("/dashboard/p/{process}/check", post(edit::check))
        .route("/dashboard/p/{process}/add", get(add::look).post(add::submit))
        .route("/dashboard/p/{process}/task", get(task::look))
        .route("/dashboard/p/{process}/task/reveal", post(task::reveal))
        .route("/dashboard/p/{process}/task/modify", post(orders::modify))
        .route("/dashboard/p/{process}/task/wake", post(orders::wake))
        .route("/dashboard/p/{process}/task/retry", post(orders::retry))
        .route("/dashboard/p/{process}/task/move", post(orders::shift))
        .route("/dashboard/p/{process}/task/cancel", post(orders::cancel))
        .route("/dashboard/p/{process}/task/ack", post(orders::ack))
        .route("/dashboard/assets/{name}", get(asset))
        .route("/dashboard/{*rest}", get(nowhere))
        .layer(from_fn_with_state(dash.clone(), known))
        .layer(from_fn(from_here))
        .layer(from_fn(with_policy))
        .route("/", get(Redirect::to(HOME)))
        .with_state(dash)
}

async fn nowhere(uri: Uri) -> Oops {
    Oops::new(StatusCode::NOT_FOUND, &format!("there is no page at `{}`", uri.path()))
}
