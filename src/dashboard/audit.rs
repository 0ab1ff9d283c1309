//! The audit: who did what, and whether all of it is there.

use askama::Template;
use axum::extract::State;

use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Place, ok};
use crate::dashboard::show::{When, sentence};
use crate::dashboard::take::{Asked, Who};
use crate::service::audit::WalkView;

/// How many lines a page shows.
const LINES_MAX: usize = 100;

#[derive(Template)]
#[template(path = "audit.html", config = ".askama.toml")]
struct AuditPage {
    f: Frame,
    lines: Vec<Line>,
    next: Option<String>,
    walk: Option<WalkView>,
    why: String,
    verify: String,
}

struct Line {
    seq: u64,
    at: When,
    by: String,
    did: String,
    to: String,
}

/// Who did what; with `verify`, also whether all of it is there.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let cursor = asked.get("cursor").map(String::as_str);
    let page = dash.service.audit_lines(&by, cursor, Some(LINES_MAX)).await?;
    let walk = match asked.get("verify") {
        Some(_) => Some(dash.service.verify_audit(&by, None).await?),
        None => None,
    };
    let here = "/dashboard/audit";
    let broken = walk.as_ref().and_then(|it| it.broken.as_ref());
    ok(AuditPage {
        f: Frame::new(&by, Place::Audit),
        why: broken.map(|it| sentence(&it.why).0).unwrap_or_default(),
        next: page.next.map(|cursor| links::with(here, &[("cursor", &cursor)])),
        verify: links::with(here, &[("verify", "1")]),
        walk,
        lines: page
            .items
            .into_iter()
            .map(|it| Line { seq: it.seq, at: When(it.at), by: it.by, did: it.did, to: it.to })
            .collect(),
    })
}
