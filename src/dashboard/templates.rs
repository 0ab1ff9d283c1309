//! Templates: a gallery, and a form that makes one a process of one's own.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::dashboard::assets::FOR_EVER;
use crate::dashboard::dash::Dash;
use crate::dashboard::form::{Field, fields, read};
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Page, Place, go, ok, status};
use crate::dashboard::picture::Pictures;
use crate::dashboard::show::{sentence, short};
use crate::dashboard::take::{Form, Who};
use crate::process::layout::layout;
use crate::process::svg::svg;
use crate::service::actor::Right;
use crate::service::cloning::{Cloning, TemplateView};
use crate::service::errors::ServiceError;
use crate::service::processes::ParamView;
use crate::service::templates::find;

#[derive(Template)]
#[template(path = "templates.html", config = ".askama.toml")]
struct GalleryPage {
    f: Frame,
    items: Vec<TemplateView>,
}

/// All of them.
pub(super) async fn gallery(State(dash): State<Dash>, Who(by): Who) -> Given {
    ok(GalleryPage { f: Frame::new(&by, Place::Templates), items: dash.service.templates().items })
}

/// The graph of one, as a picture that stands alone. Its address has the version, so it is kept for ever.
pub(super) async fn graph(Path(name): Path<String>) -> Response {
    let Some(process) = find(&name).and_then(|it| it.process()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, FOR_EVER)];
    (headers, svg(&layout(process), &process.title)).into_response()
}

#[derive(Template)]
#[template(path = "template.html", config = ".askama.toml")]
struct TemplatePage {
    f: Frame,
    name: String,
    title: String,
    about: String,
    version: String,
    picture: Option<String>,
    id: String,
    id_wrong: Option<String>,
    new_title: String,
    fields: Vec<Field>,
    secrets: String,
    edits: bool,
}

/// What a clone may have defaults for: what is asked at submit and stands in no file in secret.
fn questions(it: &TemplateView) -> Vec<ParamView> {
    it.params.iter().filter(|it| it.input && !it.secret).cloned().collect()
}

fn page(
    pictures: &Pictures,
    f: Frame,
    it: &TemplateView,
    form: Option<&Form>,
    refusal: Option<&ServiceError>,
    edits: bool,
) -> TemplatePage {
    let none = Vec::new();
    let wrong = if let Some(ServiceError::Fields(wrong)) = refusal { wrong } else { &none };
    let typed = |name: &str| form.map(|form| form.get(name).to_owned());
    let process = find(&it.name).and_then(|it| it.process());
    let secret: Vec<&str> =
        it.params.iter().filter(|it| it.input && it.secret).map(|it| it.name.as_str()).collect();
    let named = matches!(
        refusal,
        Some(ServiceError::Bad { code: "bad_process_id", .. } | ServiceError::Conflict { .. })
    );
    let blank = |it| Field { required: false, ..it };
    TemplatePage {
        id_wrong: refusal.filter(|_| named).map(|it| sentence(&it.to_string()).0),
        f: f.refused(refusal.filter(|_| !named)),
        name: it.name.clone(),
        title: it.title.clone(),
        about: it.about.clone(),
        version: short(&it.version, 12).0,
        picture: process.and_then(|own| pictures.of_template(&it.name, own).with(&BTreeMap::new())),
        id: typed("name").unwrap_or_else(|| it.name.clone()),
        new_title: typed("title").unwrap_or_default(),
        fields: fields(&questions(it), form, wrong).into_iter().map(blank).collect(),
        secrets: secret.join(", "),
        edits,
    }
}

/// One of them, with its questions.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, Path(name): Path<String>) -> Given {
    let it = dash.service.template(&name)?;
    ok(page(&dash.pictures, Frame::new(&by, Place::Templates), &it, None, None, by.has(Right::Edit)))
}

/// Makes a process of it.
pub(super) async fn clone(
    State(dash): State<Dash>,
    Who(by): Who,
    Path(name): Path<String>,
    form: Form,
) -> Given {
    let it = dash.service.template(&name)?;
    let title = Some(form.get("title").to_owned()).filter(|it| !it.is_empty());
    let done = match read(&questions(&it), &form) {
        Ok(values) => {
            let cloning = Cloning { name: form.get("name").trim().to_owned(), title, values };
            dash.service.clone_template(&by, &name, cloning).await
        }
        Err(wrong) => Err(ServiceError::Fields(wrong)),
    };
    match done {
        Ok(cloned) => go(&links::with(&links::process(&cloned.id), &[("said", "cloned")])),
        Err(refusal) => {
            let f = Frame::new(&by, Place::Templates);
            let code: StatusCode = status(&refusal);
            let page = page(&dash.pictures, f, &it, Some(&form), Some(&refusal), by.has(Right::Edit));
            Ok(Page(code, page).into_response())
        }
    }
}
