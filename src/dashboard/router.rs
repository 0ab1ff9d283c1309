//! [`pages`]: all pages, behind all doors.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use tokio_util::sync::CancellationToken;

use crate::dashboard::assets::asset;
use crate::dashboard::dash::Dash;
use crate::dashboard::doors::{LOGIN, RouteGuard, SETUP, from_here, known, with_policy};
use crate::dashboard::language::choose;
use crate::dashboard::links::HOME;
use crate::dashboard::locale::answered;
use crate::dashboard::page::Oops;
use crate::dashboard::routes::Routes;
use crate::dashboard::{about, account, add, audit, changes, channels, copy, edit, events, fault, home};
use crate::dashboard::{commands, login, manual, process, search, secrets, setup, task, templates, tokens};
use crate::dashboard::{upstream, users, vars};
use crate::middleware::routes::Route;
use crate::service::actor::Right;
use crate::service::permission::Permission;
use crate::service::service::Service;

/// All pages, behind all doors.
pub fn pages(service: Arc<Service>, stop: CancellationToken) -> Router {
    let dash = Dash { service, pictures: Arc::default(), listeners: Arc::default(), stop };
    let (router, doors) = routes().split();
    let man = RouteGuard { dash: dash.clone(), doors: Arc::new(doors) };
    router
        .layer(from_fn_with_state(man, known))
        .layer(from_fn_with_state(dash.clone(), from_here))
        .layer(from_fn(with_policy))
        .layer(from_fn(answered))
        .with_state(dash)
}

/// All doors there are.
pub fn doors() -> Vec<Route> {
    routes().split().1.list()
}

fn routes() -> Routes {
    use Permission::{Everywhere, Here, Known, Nothing, Somewhere};
    use Right::{Edit, Read, Run, Secrets};
    let routes = Routes::default()
        .get("/", Nothing, async || Redirect::to(HOME))
        .get("/dashboard/assets/{name}", Nothing, asset)
        .get(LOGIN, Nothing, login::look)
        .post(LOGIN, Nothing, login::enter)
        .post("/dashboard/language", Nothing, choose)
        .get(SETUP, Permission::Key, setup::look)
        .post(SETUP, Permission::Key, setup::enter)
        .get("/dashboard", Somewhere(Read), home::look)
        .get("/dashboard/search", Somewhere(Read), search::look)
        .get("/dashboard/events", Somewhere(Read), events::listen)
        .get("/dashboard/about", Everywhere(Read), about::look)
        .get("/dashboard/faults/{code}", Known, fault::look)
        .get("/dashboard/manual", Known, manual::contents)
        .get("/dashboard/manual/{page}", Known, manual::look)
        .get("/dashboard/templates", Known, templates::gallery)
        .get("/dashboard/templates/{template}", Known, templates::look)
        .get("/dashboard/templates/{template}/graph", Known, templates::graph)
        .post("/dashboard/templates/{template}", Somewhere(Edit), templates::clone)
        .get("/dashboard/channels", Everywhere(Read), channels::list)
        .get("/dashboard/channels/set", Everywhere(Read), channels::look)
        .post("/dashboard/channels/set", Everywhere(Secrets), channels::set)
        .post("/dashboard/channels/test", Everywhere(Run), channels::test)
        .post("/dashboard/channels/forget", Everywhere(Secrets), channels::forget)
        .get("/dashboard/secrets", Everywhere(Read), secrets::list)
        .get("/dashboard/secrets/set", Everywhere(Secrets), secrets::look)
        .post("/dashboard/secrets/set", Everywhere(Secrets), secrets::set)
        .post("/dashboard/secrets/forget", Everywhere(Secrets), secrets::forget)
        .get("/dashboard/vars/set", Everywhere(Edit), vars::look)
        .post("/dashboard/vars/set", Everywhere(Edit), vars::set)
        .post("/dashboard/vars/forget", Everywhere(Edit), vars::forget)
        .get("/dashboard/p/{process}", Here(Read), process::look)
        .post("/dashboard/p/{process}/pause", Here(Edit), process::pause)
        .post("/dashboard/p/{process}/resume", Here(Edit), process::resume)
        .get("/dashboard/p/{process}/yaml", Here(Read), process::yaml)
        .get("/dashboard/p/{process}/clone", Here(Read), copy::look)
        .post("/dashboard/p/{process}/clone", Somewhere(Edit), copy::clone)
        .get("/dashboard/p/{process}/template", Here(Read), upstream::look)
        .post("/dashboard/p/{process}/template", Here(Edit), upstream::update)
        .get("/dashboard/p/{process}/diff", Here(Read), changes::look)
        .post("/dashboard/p/{process}/again", Here(Edit), changes::again)
        .get("/dashboard/p/{process}/edit", Here(Edit), edit::look)
        .post("/dashboard/p/{process}/edit", Here(Edit), edit::deploy)
        .post("/dashboard/p/{process}/check", Here(Edit), edit::check)
        .get("/dashboard/p/{process}/add", Here(Read), add::look)
        .post("/dashboard/p/{process}/add", Here(Run), add::submit)
        .get("/dashboard/p/{process}/task", Here(Read), task::look)
        .post("/dashboard/p/{process}/task/reveal", Here(Secrets), task::reveal)
        .post("/dashboard/p/{process}/task/modify", Here(Run), commands::modify)
        .post("/dashboard/p/{process}/task/wake", Here(Run), commands::wake)
        .post("/dashboard/p/{process}/task/retry", Here(Run), commands::retry)
        .post("/dashboard/p/{process}/task/move", Here(Run), commands::shift)
        .post("/dashboard/p/{process}/task/cancel", Here(Run), commands::cancel)
        .post("/dashboard/p/{process}/task/ack", Here(Run), commands::ack);
    people(routes).get("/dashboard/{*rest}", Known, nowhere)
}

/// Oneself, and everybody else.
fn people(routes: Routes) -> Routes {
    use Permission::{Everywhere, Known};
    use Right::Admin;
    routes
        .post("/dashboard/logout", Known, login::leave)
        .get("/dashboard/account", Known, account::look)
        .post("/dashboard/account/password", Known, account::password)
        .post("/dashboard/account/end", Known, account::end)
        .get("/dashboard/users", Everywhere(Admin), users::look)
        .post("/dashboard/users/make", Everywhere(Admin), users::make)
        .post("/dashboard/users/change", Everywhere(Admin), users::change)
        .post("/dashboard/users/forget", Everywhere(Admin), users::forget)
        .post("/dashboard/users/end", Everywhere(Admin), users::end)
        .post("/dashboard/tokens/make", Everywhere(Admin), tokens::make)
        .post("/dashboard/tokens/forget", Everywhere(Admin), tokens::forget)
        .get("/dashboard/audit", Everywhere(Admin), audit::look)
}

async fn nowhere(uri: Uri) -> Oops {
    Oops::new(StatusCode::NOT_FOUND, &format!("there is no page at `{}`", uri.path()))
}
