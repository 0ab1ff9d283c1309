//! [`Problem`]: every error answer, as RFC 9457 has it: a status, a stable code, a sentence, and what helps.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::desk::refusal::Refusal;
use crate::desk::view::time;
use crate::engine::edges::StoreError;
use crate::model::time::Span;

/// The content type of every error answer.
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static(CONTENT_TYPE_TEXT);
/// The same as text.
pub const CONTENT_TYPE_TEXT: &str = "application/problem+json";
/// What parts a sentence from its hint.
const HINT: &str = "; hint: ";
/// Among the extras: what the header `Retry-After` says.
const RETRY_AFTER: &str = "retry_after_s";

/// An error answer.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its status.
    pub status: StatusCode,
    /// A stable word.
    pub code: Cow<'static, str>,
    /// A sentence.
    pub detail: String,
    /// What would help.
    pub hint: Option<String>,
    /// What programs may want to know.
    pub extras: Map<String, Value>,
}

/// Why something was not done, as RFC 9457 has it. What else stands in it depends on `code`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: what happened stands in `code`.
    #[schema(value_type = String)]
    r#type: &'static str,
    /// The status in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// A stable word for programs.
    #[schema(value_type = String)]
    code: Cow<'static, str>,
    /// A sentence for a person.
    detail: String,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// What programs may want to know.
    #[serde(flatten)]
    #[schema(ignore)]
    extras: Map<String, Value>,
}

impl Problem {
    /// With a sentence, which may end in a hint.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        let (detail, hint) = match detail.split_once(HINT) {
            Some((detail, hint)) => (detail.to_owned(), Some(hint.to_owned())),
            None => (detail, None),
        };
        Problem { status, code: Cow::Borrowed(code), detail, hint, extras: Map::new() }
    }

    /// With something more for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.extras.insert(name.to_owned(), value.into());
        self
    }

    /// With what would help.
    #[must_use]
    pub fn hint(self, hint: Option<String>) -> Problem {
        Problem { hint, ..self }
    }

    /// As it stands in JSON.
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code.clone(),
            detail: self.detail.clone(),
            hint: self.hint.clone(),
            extras: self.extras.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INSUFFICIENT_STORAGE => {
                let seconds = self.extras.get(RETRY_AFTER).and_then(Value::as_u64).unwrap_or(1);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            _ => {}
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let problem = Problem::new(status(&refusal), refusal.code(), refusal.to_string());
        match refusal {
            Refusal::Missing { hint, .. } => problem.hint(hint),
            Refusal::Fields(fields) => problem.with("fields", json!(fields)),
            Refusal::Problems { problems, text } => {
                problem.with("problems", json!(problems)).with("text", text)
            }
            Refusal::Stranded(nodes) => problem.with("stranded", json!(nodes)),
            Refusal::Unmerged(it) => {
                problem.with("conflicts", json!(it.clashes)).with("marked", json!(it.marked))
            }
            Refusal::RefTaken(task) => problem.with(
                "task",
                json!({
                    "process": task.process, "ref": task.reference, "id": task.id,
                    "state": task.state.phase().as_str(), "node": task.at,
                }),
            ),
            Refusal::NotFresh(it) => {
                let task = it.task;
                let seconds = |span: Span| span.0.div_ceil(1_000).max(1);
                problem
                    .with("dies_at", it.dies_at.map(time))
                    .with(RETRY_AFTER, it.retry_after.map(seconds))
                    .with("node", task.node)
                    .with("fault", json!(task.fault))
                    .with("alarm", json!(task.alarm))
            }
            Refusal::TooOften { wait, .. } => problem.with(RETRY_AFTER, wait.0.div_ceil(1_000).max(1)),
            Refusal::Denied { .. }
            | Refusal::Forbidden { .. }
            | Refusal::Bad { .. }
            | Refusal::Busy(_)
            | Refusal::Conflict { .. }
            | Refusal::Changed(_)
            | Refusal::TooManyTasks { .. }
            | Refusal::Gone(_)
            | Refusal::Unproven
            | Refusal::Unready
            | Refusal::NoRoom(_)
            | Refusal::Store(_)
            | Refusal::NotReady { .. }
            | Refusal::File { .. }
            | Refusal::Stopping => problem,
        }
    }
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Denied { .. } | Refusal::Forbidden { .. } => StatusCode::FORBIDDEN,
        Refusal::Unproven => StatusCode::UNAUTHORIZED,
        Refusal::Bad { code: "unsupported_media_type", .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::Missing { .. } => StatusCode::NOT_FOUND,
        Refusal::Bad { .. } | Refusal::Fields(_) | Refusal::Problems { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refusal::Stranded(_) | Refusal::Unmerged(_) | Refusal::RefTaken(_) | Refusal::Conflict { .. } => {
            StatusCode::CONFLICT
        }
        Refusal::Changed(_) => StatusCode::PRECONDITION_FAILED,
        Refusal::TooManyTasks { .. } | Refusal::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Gone(_) => StatusCode::GONE,
        Refusal::NoRoom(_) => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::Busy(_)
        | Refusal::Unready
        | Refusal::NotFresh(_)
        | Refusal::NotReady { .. }
        | Refusal::Store(StoreError::Lost(_))
        | Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Store(StoreError::Corrupt(_)) | Refusal::File { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
