//! What changed in the template that a process was cloned from, and taking it over.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::dashboard::dash::Dash;
use crate::dashboard::difference::Difference;
use crate::dashboard::edit::{Leaving, leaving, moves, with_text};
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Oops, Page, Place, go, status};
use crate::dashboard::show::short;
use crate::dashboard::take::{Form, Of, Who};
use crate::model::names::ProcessId;
use crate::service::actor::{Actor, Right};
use crate::service::errors::ServiceError;
use crate::service::merge::Clash;
use crate::service::upstream::Update;

/// How many places where a person must choose a page shows.
const CLASHES_MAX: usize = 50;

#[derive(Template)]
#[template(path = "upstream.html", config = ".askama.toml")]
struct UpstreamPage {
    f: Frame,
    id: String,
    title: String,
    up: String,
    template: String,
    from: String,
    to: String,
    /// The text of then is known, so the two can be merged.
    known: bool,
    diff: Difference,
    clashes: Vec<Clash>,
    stranded: Vec<Leaving>,
    /// Whether it can be taken over as things stand.
    fits: bool,
    edits: bool,
}

/// What changed, and whether it can be taken over.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, Of(id): Of) -> Given {
    let would = match by.may(Right::Edit, &id) {
        true => dash
            .service
            .update_from_template(&by, &id, Update { dry_run: true, ..Update::default() })
            .await
            .map(|_| ()),
        false => Ok(()),
    };
    page(&dash, &by, &id, &Form::default(), would.err(), StatusCode::OK).await
}

/// Takes it over; or opens the text with both, for a person to choose.
pub(super) async fn update(State(dash): State<Dash>, Who(by): Who, Of(id): Of, form: Form) -> Given {
    by.need(Right::Edit, &id).map_err(Oops::from)?;
    let opens = form.has("open");
    let how = Update { dry_run: opens, moves: moves(&form) };
    match dash.service.update_from_template(&by, &id, how).await {
        Ok(_) if opens => go(&links::below(&id, "template")),
        Ok(_) => go(&links::with(&links::process(id.as_str()), &[("said", "updated")])),
        Err(ServiceError::Unmerged(it)) if opens => with_text(&dash, &by, &id, it.marked).await,
        Err(refusal) => {
            let code = status(&refusal);
            page(&dash, &by, &id, &form, Some(refusal), code).await
        }
    }
}

async fn page(
    dash: &Dash,
    by: &Arc<Actor>,
    id: &ProcessId,
    form: &Form,
    refusal: Option<ServiceError>,
    code: StatusCode,
) -> Given {
    let (it, process) = (dash.service.upstream(by, id).await?, dash.service.process(by, id).await?);
    let (mut clashes, mut stranded, mut told) = (Vec::new(), Vec::new(), None);
    let fits = matches!(refusal, None | Some(ServiceError::Stranded(_)));
    match refusal {
        Some(ServiceError::Unmerged(unmerged)) => clashes = unmerged.clashes,
        Some(ServiceError::Stranded(nodes)) => {
            let text = dash.service.template(&it.template)?.text.unwrap_or_default();
            stranded = leaving(&nodes, &text, form);
        }
        // Said in words of the page.
        Some(refusal) if refusal.code() == "unknown_base" => {}
        refusal => told = refusal,
    }
    clashes.truncate(CLASHES_MAX);
    let page = UpstreamPage {
        f: Frame::new(by, Place::Home).refused(told.as_ref()),
        id: id.to_string(),
        title: process.title,
        up: links::process(id.as_str()),
        from: short(&it.from, 12).0,
        to: short(&it.to, 12).0,
        known: it.known,
        diff: Difference::new(&it.diff),
        clashes,
        stranded,
        fits,
        edits: by.may(Right::Edit, id),
        template: it.template,
    };
    Ok::<Response, Oops>(Page(code, page).into_response())
}
