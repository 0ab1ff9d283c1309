//! What handlers take: [`Who`] asks, the path [`At`], the query [`QueryOf`], the body [`JsonOf`]. Whatever is
//! wrong with one of them is a problem that names it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::api::problem::ApiProblem;
use crate::model::charset::{NoText, decode};
use crate::model::json::{kept, once};
use crate::model::names::{Address, ProcessId, Ref, TaskId};
use crate::model::near::nearest;
use crate::model::unpack::{Packed, unpacked};
use crate::service::actor::Actor;

/// The largest body that is read whole, as it comes and unpacked. A process that allows larger params takes
/// them as NDJSON.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Who asks.
#[derive(Clone, Debug)]
pub struct Who(pub Arc<Actor>);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = ApiProblem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Who, ApiProblem> {
        parts.extensions.get::<Who>().cloned().ok_or_else(unknown)
    }
}

/// Nobody knows who asks.
pub fn unknown() -> ApiProblem {
    let detail = "this needs a token; hint: send the header `Authorization: Bearer <token>`";
    ApiProblem::new(StatusCode::UNAUTHORIZED, "no_token", detail)
}

/// The parts of the path.
#[derive(Clone, Debug)]
pub struct At<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = ApiProblem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, ApiProblem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(it)) => Ok(At(it)),
            Err(bad) => Err(ApiProblem::new(StatusCode::BAD_REQUEST, "bad_path", lower(&bad.body_text()))),
        }
    }
}

/// The query. Unknown names in it are refused.
#[derive(Clone, Debug)]
pub struct QueryOf<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = ApiProblem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<QueryOf<T>, ApiProblem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(it)) => Ok(QueryOf(it)),
            Err(bad) => {
                let text = bad.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(shape("bad_query", text))
            }
        }
    }
}

/// A JSON body.
#[derive(Clone, Debug)]
pub struct JsonOf<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonOf<T> {
    type Rejection = ApiProblem;
    async fn from_request(request: Request, state: &S) -> Result<JsonOf<T>, ApiProblem> {
        if !is_json(request.headers()) {
            return Err(not_json());
        }
        json(&whole_text(request, state, "bad_json").await?).map(JsonOf)
    }
}

/// A body as text.
#[derive(Clone, Debug)]
pub struct ReadText(pub String);

impl<S: Send + Sync> FromRequest<S> for ReadText {
    type Rejection = ApiProblem;
    async fn from_request(request: Request, state: &S) -> Result<ReadText, ApiProblem> {
        whole_text(request, state, "bad_text").await.map(ReadText)
    }
}

/// The body of a request as text; one that is none has the problem of that `code`.
pub async fn whole_text<S: Send + Sync>(
    request: Request,
    state: &S,
    code: &'static str,
) -> Result<String, ApiProblem> {
    let headers = request.headers().clone();
    let body = Bytes::from_request(request, state).await.map_err(|bad| too_large(&bad))?;
    let body = plain(&headers, &body, BODY_BYTES_MAX)?;
    text(&body, &header_of(&headers, &header::CONTENT_TYPE), code)
}

/// A body as it was before it was packed as its headers say.
pub fn plain<'a>(headers: &HeaderMap, body: &'a [u8], bytes_max: usize) -> Result<Cow<'a, [u8]>, ApiProblem> {
    let coding = header_of(headers, &header::CONTENT_ENCODING);
    unpacked(Cow::Borrowed(body), &coding, bytes_max as u64).map_err(|why| match why {
        Packed::TooLarge => {
            let detail = format!("the body unfolds to more than the {bytes_max} bytes that are taken here");
            ApiProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
        }
        Packed::Broken => {
            let detail = format!("the body is not packed as it says (`{}`)", coding.escape_debug());
            ApiProblem::new(StatusCode::BAD_REQUEST, "bad_body", detail)
        }
        Packed::Unknown(coding) => {
            let detail =
                format!("the body is packed by `{coding}`, which is not undone here; hint: send gzip");
            ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_encoding", detail)
        }
    })
}

/// Bytes as text, read by their charset; those that are none have the problem of that `code`.
pub fn text(body: &[u8], content_type: &str, code: &'static str) -> Result<String, ApiProblem> {
    decode(body, content_type).map_err(|why| no_text("the body", &why, code))
}

/// Why something is no text.
pub fn no_text(what: &str, why: &NoText, code: &'static str) -> ApiProblem {
    match why {
        NoText::Unknown(_) => {
            let detail = format!("{what} {why}; hint: send UTF-8");
            ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_charset", detail)
        }
        NoText::Invalid { .. } => {
            let hint =
                "hint: send UTF-8, or name the charset in the `Content-Type`: `; charset=windows-1252`";
            ApiProblem::new(StatusCode::BAD_REQUEST, code, format!("{what} {why}; {hint}"))
        }
    }
}

/// A header as text; empty if it is not there.
pub fn header_of(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
    values.collect::<Vec<_>>().join(", ")
}

/// Whether the body says it is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let kind = media_type(headers);
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// What the body says it is.
pub fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The body is not said to be JSON.
pub fn not_json() -> ApiProblem {
    let detail = "the body is not said to be JSON; hint: send the header `Content-Type: application/json`";
    ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail)
}

/// The body cannot be had.
pub fn too_large(bad: &BytesRejection) -> ApiProblem {
    match bad.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiProblem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the body is larger than is taken here",
        ),
        _ => ApiProblem::new(StatusCode::BAD_REQUEST, "bad_body", "the body did not arrive whole"),
    }
}

/// Reads JSON; what is wrong with it is told with its place.
pub fn json<T: DeserializeOwned>(text: &str) -> Result<T, ApiProblem> {
    let kept = kept(text);
    // Where it is no JSON at all, that is told below.
    if let Some(twice) = once(&kept).err().filter(serde_json::Error::is_data) {
        return Err(ApiProblem::new(StatusCode::BAD_REQUEST, "bad_json", twice.to_string()));
    }
    // To serde a list is a struct without its names.
    if kept.trim_ascii_start().starts_with('[') && serde_json::from_str::<Vec<IgnoredAny>>(&kept).is_ok() {
        return Err(shape("bad_shape", "invalid type: list, expected struct of"));
    }
    let is_json = match serde_json::from_str(&kept) {
        Ok(it) => return Ok(it),
        Err(error) => error.is_data(),
    };
    // Once more, slower, by a reader that knows where it is: in the text as it came, if it is no JSON.
    match Json::<T>::from_bytes(if is_json { kept.as_bytes() } else { text.as_bytes() }) {
        Ok(Json(it)) => Ok(it),
        Err(bad) => {
            let text = bad.body_text();
            let text = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
            match bad.status() {
                StatusCode::UNPROCESSABLE_ENTITY => Err(shape("bad_shape", text)),
                _ => Err(ApiProblem::new(
                    StatusCode::BAD_REQUEST,
                    "bad_json",
                    format!("this is no JSON: {}", lower(text)),
                )),
            }
        }
    }
}

/// What serde found wrong, with a hint if a name was mistyped.
fn shape(code: &'static str, text: &str) -> ApiProblem {
    if let Some((said, _)) = text.split_once(", expected struct ") {
        let said = said.rsplit("invalid type: ").next().unwrap_or_default();
        let detail = format!("this is a {said}, and must be an object");
        return ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
    }
    let words: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let hint = match words.split_first() {
        Some((word, known)) if text.contains("unknown") => {
            nearest(word, known.iter().copied()).map(|it| format!("did you mean `{it}`?"))
        }
        _ => None,
    };
    ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, code, lower(text)).hint(hint)
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|it| it.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// The process a path names.
pub fn process(text: &str) -> Result<ProcessId, ApiProblem> {
    ProcessId::new(text)
        .map_err(|bad| ApiProblem::new(StatusCode::NOT_FOUND, "no_such_process", bad.to_string()))
}

/// The task a path names.
pub fn address((id, reference): (String, String)) -> Result<Address, ApiProblem> {
    let reference = reference
        .parse::<Ref>()
        .map_err(|bad| ApiProblem::new(StatusCode::NOT_FOUND, "no_such_task", bad.to_string()))?;
    Ok(Address { process: process(&id)?, reference })
}

/// The number of a task, as it stands in a query.
pub fn task_id(text: Option<&str>) -> Result<Option<TaskId>, ApiProblem> {
    let bad = |_| {
        let detail = "`id` is a task's id: a whole number";
        ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_query", detail)
    };
    text.map(|it| it.parse().map(TaskId).map_err(bad)).transpose()
}
