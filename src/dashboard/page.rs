//! [`Frame`]: what is around every page. [`Page`]: a page as an answer. [`Oops`]: a page that says what went
//! wrong.

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::dashboard::assets::ASSETS;
use crate::dashboard::links;
use crate::dashboard::locale::words;
use crate::dashboard::show::sentence;
use crate::dashboard::words::Words;
use crate::engine::ports::StoreError;
use crate::service::actor::{Actor, Right};
use crate::service::errors::ServiceError;

/// Where in the dashboard a page is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Nowhere,
    Home,
    Templates,
    Manual,
    Channels,
    Secrets,
    Users,
    Audit,
    Account,
    About,
}

/// What is around every page.
pub(super) struct Frame {
    /// All words.
    pub(super) w: &'static Words,
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) icon: &'static str,
    /// Who is logged in.
    pub(super) who: Option<String>,
    /// They may do everything.
    pub(super) admin: bool,
    /// They may look at what belongs to no process.
    pub(super) looks: bool,
    pub(super) place: Place,
    /// The stream that tells when the page is old.
    pub(super) live: Option<String>,
    /// What was just done.
    pub(super) said: Option<&'static str>,
    /// What was just refused, and what helps.
    pub(super) refused: Option<(String, Option<String>)>,
}

impl Frame {
    /// For who is logged in.
    pub(super) fn new(by: &Arc<Actor>, place: Place) -> Frame {
        let (admin, looks) = (by.may_everywhere(Right::Admin), by.may_everywhere(Right::Read));
        Frame { who: Some(by.name.clone()), admin, looks, place, ..Frame::bare() }
    }

    /// For who is not.
    pub(super) fn bare() -> Frame {
        Frame {
            w: words(),
            style: &ASSETS.style.path,
            script: &ASSETS.script.path,
            icon: &ASSETS.icon.path,
            who: None,
            admin: false,
            looks: false,
            place: Place::Nowhere,
            live: None,
            said: None,
            refused: None,
        }
    }

    /// Made fresh whenever something happens, in that process or anywhere.
    pub(super) fn live(mut self, process: Option<&str>) -> Frame {
        let path = "/dashboard/events";
        self.live = Some(process.map_or_else(|| path.to_owned(), |it| links::with(path, &[("process", it)])));
        self
    }

    /// Whether the page is in that part of the dashboard.
    pub(super) fn is_at(&self, place: &str) -> bool {
        place
            == match self.place {
                Place::Nowhere => "",
                Place::Home => "home",
                Place::Templates => "templates",
                Place::Manual => "manual",
                Place::Channels => "channels",
                Place::Secrets => "secrets",
                Place::Users => "users",
                Place::Audit => "audit",
                Place::Account => "account",
                Place::About => "about",
            }
    }

    /// With what was just done, as the query says it.
    pub(super) fn said(mut self, code: Option<&String>) -> Frame {
        self.said = code.and_then(|code| self.w.said(code));
        self
    }

    /// With why it was not done.
    pub(super) fn refused(mut self, refusal: Option<&ServiceError>) -> Frame {
        self.refused = refusal.map(|it| {
            let (text, hint) = sentence(&it.to_string());
            (text, hint.or_else(|| hint_of(it)))
        });
        self
    }
}

fn hint_of(refusal: &ServiceError) -> Option<String> {
    match refusal {
        ServiceError::Missing { hint: Some(hint), .. } => Some(sentence(hint).0),
        _ => None,
    }
}

/// A page as an answer.
pub(super) struct Page<T>(pub(super) StatusCode, pub(super) T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.1.render() {
            Ok(html) => (self.0, Html(html)).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page could not be made");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// What a handler gives: an answer, or what went wrong.
pub(super) type Given = Result<Response, Oops>;

/// A page that answers well.
#[expect(clippy::unnecessary_wraps, reason = "the last word of handlers that can fail")]
pub(super) fn ok<T: Template>(page: T) -> Given {
    Ok(Page(StatusCode::OK, page).into_response())
}

/// On to another page, which is looked at with GET.
#[expect(clippy::unnecessary_wraps, reason = "the last word of handlers that can fail")]
pub(super) fn go(to: &str) -> Given {
    Ok(Redirect::to(to).into_response())
}

/// What went wrong, on a page of its own.
#[derive(Debug)]
pub(super) struct Oops {
    status: StatusCode,
    text: String,
    hint: Option<String>,
    /// Whether the reader has a way back to the pages.
    known: bool,
}

impl Oops {
    pub(super) fn new(status: StatusCode, text: &str) -> Oops {
        let (text, hint) = sentence(text);
        Oops { status, text, hint, known: true }
    }

    /// For somebody who is not logged in.
    pub(super) fn stranger(status: StatusCode, text: &str) -> Oops {
        Oops { known: false, ..Oops::new(status, text) }
    }
}

impl From<ServiceError> for Oops {
    fn from(refusal: ServiceError) -> Oops {
        let hint = hint_of(&refusal);
        let oops = Oops::new(status(&refusal), &refusal.to_string());
        Oops { hint: oops.hint.or(hint), ..oops }
    }
}

#[derive(Template)]
#[template(path = "oops.html", config = ".askama.toml")]
struct OopsPage {
    f: Frame,
    status: u16,
    title: &'static str,
    text: String,
    hint: Option<String>,
    known: bool,
}

impl IntoResponse for Oops {
    fn into_response(self) -> Response {
        let f = Frame::bare();
        let title = match self.status.as_u16() {
            403 => f.w.oops_denied,
            404 => f.w.oops_missing,
            429 => f.w.oops_busy,
            500.. => f.w.oops_ours,
            _ => f.w.oops_other,
        };
        let Oops { status, text, hint, known } = self;
        let mut answer =
            Page(status, OopsPage { f, status: status.as_u16(), title, text, hint, known }).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("6"));
        }
        answer
    }
}

/// The status of an answer that refuses.
pub(super) fn status(refusal: &ServiceError) -> StatusCode {
    match refusal {
        ServiceError::Denied { .. } | ServiceError::Forbidden { .. } => StatusCode::FORBIDDEN,
        ServiceError::Unproven => StatusCode::UNAUTHORIZED,
        ServiceError::Missing { .. } => StatusCode::NOT_FOUND,
        ServiceError::Bad { .. } | ServiceError::Fields(_) | ServiceError::Problems { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ServiceError::Stranded(_)
        | ServiceError::Unmerged(_)
        | ServiceError::RefTaken(_)
        | ServiceError::Conflict { .. }
        | ServiceError::Changed(_) => StatusCode::CONFLICT,
        ServiceError::TooManyTasks { .. } | ServiceError::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
        ServiceError::Gone(_) => StatusCode::GONE,
        ServiceError::NoRoom(_) => StatusCode::INSUFFICIENT_STORAGE,
        ServiceError::Busy(_)
        | ServiceError::NotFresh(_)
        | ServiceError::NotReady { .. }
        | ServiceError::Store(StoreError::Lost(_))
        | ServiceError::Stopping
        | ServiceError::Unready => StatusCode::SERVICE_UNAVAILABLE,
        ServiceError::Store(StoreError::Corrupt(_)) | ServiceError::File { .. } => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
