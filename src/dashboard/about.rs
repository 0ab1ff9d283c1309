//! How it goes: versions, the store, how late it is.

use askama::Template;
use axum::extract::State;

use crate::dashboard::dash::Dash;
use crate::dashboard::locale::words;
use crate::dashboard::page::{Frame, Given, Place, ok};
use crate::dashboard::show::{bytes, span};
use crate::dashboard::take::Who;
use crate::service::disk::{Disk, DiskSpace};
use crate::service::status::Status;

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
    disk: Option<DiskRow>,
}

struct DiskRow {
    dot: &'static str,
    free: String,
    store: String,
}

impl DiskRow {
    fn of(disk: Disk) -> DiskRow {
        let dot = match disk.room() {
            DiskSpace::Enough => "good",
            DiskSpace::Scarce => "warn",
            DiskSpace::None => "bad",
        };
        DiskRow { dot, free: bytes(disk.free_bytes), store: bytes(disk.store_bytes) }
    }
}

/// How it goes.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who) -> Given {
    let it = dash.service.status(&by).await?;
    ok(AboutPage {
        f: Frame::new(&by, Place::About),
        uptime: span(it.uptime_s, words()),
        late: it.lateness_s > LATE,
        lateness: format!("{:.1} s", it.lateness_s.max(0.0)),
        rights: by.rights_line(),
        disk: it.disk.map(DiskRow::of),
        it,
    })
}
