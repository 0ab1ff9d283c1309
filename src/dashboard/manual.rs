//! The manual: all that there is a page about, and each page.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect};

use crate::dashboard::history::explained;
use crate::dashboard::markdown::{MANUAL, headings, to_html};
use crate::dashboard::page::{Frame, Given, Place, ok};
use crate::dashboard::take::Who;
use crate::service::errors::ServiceError;
use crate::service::guide;
use crate::service::manual::{self, ManualPage, Topic};

/// More headings than these are worth a list of their own.
const LISTED_MIN: usize = 3;

#[derive(Template)]
#[template(path = "manual.html", config = ".askama.toml")]
struct ContentsPage {
    f: Frame,
    guides: Vec<Line>,
    /// What is made of the code, by its heading.
    rest: Vec<(&'static str, Vec<Line>)>,
}

#[derive(Template)]
#[template(path = "guide.html", config = ".askama.toml")]
struct GuidePage {
    f: Frame,
    title: String,
    headings: Vec<(String, String)>,
    body: String,
    before: Option<Line>,
    after: Option<Line>,
}

/// A page, as other pages speak of it.
struct Line {
    to: String,
    title: String,
    about: String,
}

impl Line {
    fn of(page: &ManualPage) -> Line {
        Line { to: place(page), title: page.title().to_owned(), about: page.about.clone() }
    }
}

/// Where a page is. A fault has one of its own.
fn place(page: &ManualPage) -> String {
    let fault = if page.topic == Topic::Fault { explained(page.name) } else { None };
    fault.unwrap_or_else(|| format!("{MANUAL}/{}", page.name))
}

/// All pages.
pub(super) async fn contents(Who(by): Who) -> Given {
    let f = Frame::new(&by, Place::Manual);
    let pages = manual::pages();
    let of = |topic| -> Vec<Line> { pages.iter().filter(|page| page.topic == topic).map(Line::of).collect() };
    let rest = vec![
        (f.w.kinds, of(Topic::Kind)),
        (f.w.channels, of(Topic::Channel)),
        (f.w.templates, of(Topic::Template)),
        (f.w.faults, of(Topic::Fault)),
    ];
    ok(ContentsPage { guides: of(Topic::Guide), rest, f })
}

/// One page.
pub(super) async fn look(Who(by): Who, Path(name): Path<String>) -> Given {
    let pages = manual::pages();
    let Some(at) = pages.iter().position(|page| page.name == name) else {
        return Err(ServiceError::missing("page of the manual", name).into());
    };
    let page = &pages[at];
    if page.topic == Topic::Fault {
        return Ok(Redirect::to(&place(page)).into_response());
    }
    let text = manual::text(page);
    let beside = |at: Option<usize>| {
        let other = pages.get(at?)?;
        (other.topic == page.topic).then(|| Line::of(other))
    };
    let found = headings(&text);
    ok(GuidePage {
        f: Frame::new(&by, Place::Manual),
        title: page.title().to_owned(),
        headings: if found.len() < LISTED_MIN { Vec::new() } else { found },
        body: to_html(&text, page.title()),
        before: beside(at.checked_sub(1)),
        after: beside(at.checked_add(1)),
    })
}

/// The pages whose name, title or line has `low`, which is in small letters: each with its address.
pub(super) fn like(low: &str) -> Vec<(&'static str, &'static str, String)> {
    let has = |guide: &guide::Guide| {
        format!("{} {} {}", guide.name, guide.title(), guide.about()).to_lowercase().contains(low)
    };
    let found = guide::GUIDES.iter().filter(|guide| has(guide));
    found.map(|guide| (guide.name, guide.title(), format!("{MANUAL}/{}", guide.name))).collect()
}
