//! A clone of a process that runs: the same text under another id.

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse;

use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Page, Place, go, ok, status};
use crate::dashboard::show::sentence;
use crate::dashboard::take::{Form, Of, Who};
use crate::service::actor::Right;
use crate::service::errors::ServiceError;
use crate::service::processes::ProcessView;

#[derive(Template)]
#[template(path = "copy.html", config = ".askama.toml")]
struct CopyPage {
    f: Frame,
    from: ProcessView,
    up: String,
    id: String,
    id_wrong: Option<String>,
    new_title: String,
    /// It begins tasks by itself, and so will its clone.
    scheduled: bool,
    edits: bool,
}

/// The two questions.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, Of(id): Of) -> Given {
    let from = dash.service.process(&by, &id).await?;
    let scheduled = !dash.service.schedules(&by, &id).await?.items.is_empty();
    ok(CopyPage {
        f: Frame::new(&by, Place::Home),
        up: links::process(&from.id),
        id: format!("{}-2", from.id),
        id_wrong: None,
        new_title: String::new(),
        scheduled,
        edits: by.has(Right::Edit),
        from,
    })
}

/// Makes it.
pub(super) async fn clone(State(dash): State<Dash>, Who(by): Who, Of(id): Of, form: Form) -> Given {
    let (name, title) = (form.get("name").trim(), form.get("title").trim());
    let done = dash.service.clone_process(&by, &id, name, Some(title).filter(|it| !it.is_empty())).await;
    let refusal = match done {
        Ok(cloned) => return go(&links::with(&links::process(&cloned.id), &[("said", "copied")])),
        Err(refusal @ ServiceError::Denied { .. }) => return Err(refusal.into()),
        Err(refusal) => refusal,
    };
    let from = dash.service.process(&by, &id).await?;
    let scheduled = !dash.service.schedules(&by, &id).await?.items.is_empty();
    let named = ["bad_process_id", "process_exists", "file_exists"].contains(&refusal.code());
    let told = |it: &ServiceError| match sentence(&it.to_string()) {
        (text, Some(hint)) => format!("{text} {hint}"),
        (text, None) => text,
    };
    let page = CopyPage {
        f: Frame::new(&by, Place::Home).refused(Some(&refusal).filter(|_| !named)),
        up: links::process(&from.id),
        id: name.to_owned(),
        id_wrong: named.then(|| told(&refusal)),
        new_title: title.to_owned(),
        scheduled,
        edits: by.has(Right::Edit),
        from,
    };
    Ok(Page(status(&refusal), page).into_response())
}
