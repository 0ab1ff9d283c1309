//! Adding a task: a form made from the params.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::dashboard::dash::Dash;
use crate::dashboard::form::{Field, MORE, fields, mistake, read};
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Page, Place, go, status};
use crate::dashboard::show::sentence;
use crate::dashboard::take::{Form, Of, Who};
use crate::service::errors::{FieldMistake, ServiceError};
use crate::service::hash;
use crate::service::processes::ProcessView;
use crate::service::submit::{Submission, SubmitKey};
use crate::service::view::TaskView;

#[derive(Template)]
#[template(path = "add.html", config = ".askama.toml")]
struct AddPage {
    f: Frame,
    id: String,
    title: String,
    about: String,
    to: String,
    paused: bool,
    fields: Vec<Field>,
    auto: bool,
    reference: String,
    reference_wrong: Option<String>,
    /// The task that has the name.
    clash: Option<String>,
    more: String,
    more_wrong: Option<String>,
    /// Pressed twice, the button adds one task.
    key: String,
}

impl AddPage {
    fn new(f: Frame, it: &ProcessView, form: Option<&Form>, wrong: &[FieldMistake]) -> AddPage {
        let typed = |name: &str| form.map(|form| form.get(name).to_owned()).unwrap_or_default();
        AddPage {
            f,
            id: it.id.clone(),
            title: it.title.clone(),
            about: it.about.clone(),
            to: links::process(&it.id),
            paused: it.paused,
            fields: fields(&it.params, form, wrong),
            auto: form.is_none_or(|form| form.has("auto")),
            reference: typed("ref"),
            reference_wrong: None,
            clash: None,
            more: typed(MORE),
            more_wrong: mistake(wrong, MORE).or_else(|| mistake(wrong, "params")),
            key: hash::new_token(),
        }
    }
}

/// The form.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, Of(id): Of) -> Given {
    let it = dash.service.process(&by, &id).await?;
    Ok(Page(StatusCode::OK, AddPage::new(Frame::new(&by, Place::Home), &it, None, &[])).into_response())
}

/// Takes the task in, or shows the form again with what is wrong beside each field.
pub(super) async fn submit(State(dash): State<Dash>, Who(by): Who, Of(id): Of, form: Form) -> Given {
    let it = dash.service.process(&by, &id).await?;
    let reference = Some(form.get("ref").to_owned()).filter(|it| !it.is_empty());
    if reference.is_none() && !form.has("auto") {
        let mut page = AddPage::new(Frame::new(&by, Place::Home), &it, Some(&form), &[]);
        page.reference_wrong = Some(page.f.w.add_ref_missing.to_owned());
        return Ok(Page(StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let refusal = match read(&it.params, &form) {
        Ok(params) => {
            let word = Some(form.get("key").to_owned()).filter(|it| !it.is_empty());
            let key = word.map(|word| SubmitKey { word, line: None });
            let submission = Submission { reference, params: params.into(), key, ..Submission::default() };
            match dash.service.submit(&by, &id, submission).await {
                Ok(done) => return go(&format!("{}&said=added", links::task(&done.task))),
                Err(refusal) => refusal,
            }
        }
        Err(wrong) => ServiceError::Fields(wrong),
    };
    let none = Vec::new();
    let wrong = if let ServiceError::Fields(wrong) = &refusal { wrong } else { &none };
    let mut page = AddPage::new(Frame::new(&by, Place::Home), &it, Some(&form), wrong);
    match &refusal {
        ServiceError::Fields(_) => page.f.refused = Some((page.f.w.add_wrong.to_owned(), None)),
        ServiceError::RefTaken(task) => {
            page.reference_wrong = Some(sentence(&refusal.to_string()).0);
            page.clash = Some(links::task(&TaskView::seen_by(&by, task, None, dash.service.now())));
        }
        ServiceError::Bad { code: "bad_ref", .. } => {
            page.reference_wrong = Some(sentence(&refusal.to_string()).0);
        }
        other => page.f = page.f.refused(Some(other)),
    }
    Ok(Page(status(&refusal), page).into_response())
}
