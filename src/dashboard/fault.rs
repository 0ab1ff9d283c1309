//! What a fault of the engine means, and what to do about it.

use askama::Template;
use axum::extract::Path;

use crate::dashboard::page::{Frame, Given, Place, ok};
use crate::dashboard::show::sentence;
use crate::dashboard::take::Who;
use crate::model::faults;
use crate::service::errors::ServiceError;

#[derive(Template)]
#[template(path = "fault.html", config = ".askama.toml")]
struct FaultPage {
    f: Frame,
    code: &'static str,
    about: String,
    class: Option<&'static str>,
    remedy: String,
    example: &'static str,
}

/// The page about one.
pub(super) async fn look(Who(by): Who, Path(code): Path<String>) -> Given {
    let it = faults::find(&code).ok_or_else(|| ServiceError::missing("page about the fault", code))?;
    let f = Frame::new(&by, Place::Nowhere);
    ok(FaultPage {
        code: it.code,
        about: sentence(it.about).0,
        class: it.class.map(|class| f.w.class_of(class.as_str())),
        remedy: sentence(it.remedy).0,
        example: it.example.trim(),
        f,
    })
}
