//! What pages take: [`Who`] asks, the process a path names, the fields of a [`Form`], the query [`Asked`].

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use percent_encoding::percent_decode;

use crate::dashboard::page::Oops;
use crate::middleware::client::Client;
use crate::model::names::{Address, ProcessId, Ref, TaskId};
use crate::service::actor::Actor;
use crate::service::sessions::SessionClient;

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Who(pub(super) Arc<Actor>);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Oops;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Who, Oops> {
        let none = || Oops::stranger(StatusCode::UNAUTHORIZED, "you are not logged in");
        parts.extensions.get::<Who>().cloned().ok_or_else(none)
    }
}

/// Who origin, known or not: from where, and with which browser.
#[derive(Clone, Debug)]
pub(super) struct RequestOrigin {
    pub(super) client: Client,
    pub(super) caller: SessionClient,
}

impl<S: Send + Sync> FromRequestParts<S> for RequestOrigin {
    type Rejection = Oops;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<RequestOrigin, Oops> {
        let client = Client::of(&parts.extensions);
        let agent = parts.headers.get(header::USER_AGENT).map(|it| String::from_utf8_lossy(it.as_bytes()));
        let agent = agent.map(std::borrow::Cow::into_owned).unwrap_or_default();
        Ok(RequestOrigin { client, caller: SessionClient { address: client.address, agent } })
    }
}

/// The process a path names.
#[derive(Clone, Debug)]
pub(super) struct Of(pub(super) ProcessId);

impl<S: Send + Sync> FromRequestParts<S> for Of {
    type Rejection = Oops;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Of, Oops> {
        let parts = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let id = parts.ok().and_then(|Path(mut it)| it.remove("process")).unwrap_or_default();
        ProcessId::new(&id).map(Of).map_err(|bad| Oops::new(StatusCode::NOT_FOUND, &bad.to_string()))
    }
}

/// The query. A name that is given twice counts once.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(HashMap<String, String>);

impl Asked {
    /// What stands there, if it is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.0.get(name).filter(|it| !it.is_empty())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Oops;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked, Oops> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Asked(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

/// The fields of a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// What was typed there; nothing is the empty text.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the field was sent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(it, _)| it == name)
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Oops;
    async fn from_request(request: Request, state: &S) -> Result<Form, Oops> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        if !kind.is_some_and(|it| it.starts_with("application/x-www-form-urlencoded")) {
            return Err(Oops::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a form was expected"));
        }
        let body = Bytes::from_request(request, state).await;
        let body =
            body.map_err(|bad| Oops::new(bad.status(), "the form is too large, or did not arrive whole"))?;
        // Read on, the bytes that are none would be other letters than were typed.
        if percent_decode(&body).decode_utf8().is_err() {
            return Err(Oops::new(StatusCode::BAD_REQUEST, "the form is not in UTF-8"));
        }
        Ok(Form(url::form_urlencoded::parse(&body).into_owned().collect()))
    }
}

/// The task that a ref names, and that very one if it has an id.
pub(super) fn task(
    process: &ProcessId,
    reference: &str,
    id: &str,
) -> Result<(Address, Option<TaskId>), Oops> {
    let missing = |bad: String| Oops::new(StatusCode::NOT_FOUND, &bad);
    let reference = reference.parse::<Ref>().map_err(|bad| missing(bad.to_string()))?;
    let id = match id {
        "" => None,
        id => Some(TaskId(id.parse().map_err(|_| missing("a task's id is a whole number".to_owned()))?)),
    };
    Ok((Address { process: process.clone(), reference }, id))
}
