//! How it goes: versions, the store, how late it is.

use askama::Template;
use axum::extract::State;

use crate::dashboard::dash::Dash;
use crate::dashboard::page::{Frame, Given, Place, ok};
use crate::dashboard::show::{When, span};
use crate::dashboard::take::Who;
use crate::dashboard::tongue::words;
use crate::desk::actor::Right;
use crate::desk::audit::AuditView;
use crate::desk::status::Status;

/// How many lines of the audit the page shows.
const LINES_MAX: usize = 50;
/// A task that is due longer than that says that something is slow, in seconds.
const LATE: f64 = 5.0;

#[derive(Template)]
#[template(path = "about.html", config = ".askama.toml")]
struct AboutPage {
    f: Frame,
    it: Status,
    uptime: String,
    late: bool,
    lateness: String,
    rights: String,
    lines: Vec<Line>,
}

struct Line {
    at: When,
    by: String,
    did: String,
    to: String,
}

/// How it goes.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who) -> Given {
    let it = dash.desk.status(&by).await?;
    let lines: Vec<AuditView> = match by.may_everywhere(Right::Admin) {
        true => dash.desk.audit_lines(&by, None, Some(LINES_MAX)).await?.items,
        false => Vec::new(),
    };
    ok(AboutPage {
        f: Frame::new(&by, Place::About),
        uptime: span(it.uptime_s, words()),
        late: it.lateness_s > LATE,
        lateness: format!("{:.1} s", it.lateness_s.max(0.0)),
        rights: by.rights_line(),
        lines: lines
            .into_iter()
            .take(LINES_MAX)
            .map(|it| Line { at: When(it.at), by: it.by, did: it.did, to: it.to })
            .collect(),
        it,
    })
}
