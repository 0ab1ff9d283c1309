//! [`ApiProblem`]: every error answer, as RFC 9457 has it: a status, a stable code, a sentence, and what
//! helps.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::engine::ports::StoreError;
use crate::model::time::Span;
use crate::service::errors::ServiceError;
use crate::service::view::time;

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
pub struct ApiProblem {
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

impl ApiProblem {
    /// With a sentence, which may end in a hint.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> ApiProblem {
        let detail = detail.into();
        let (detail, hint) = match detail.split_once(HINT) {
            Some((detail, hint)) => (detail.to_owned(), Some(hint.to_owned())),
            None => (detail, None),
        };
        ApiProblem { status, code: Cow::Borrowed(code), detail, hint, extras: Map::new() }
    }

    /// With something more for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> ApiProblem {
        self.extras.insert(name.to_owned(), value.into());
        self
    }

    /// With what would help.
    #[must_use]
    pub fn hint(self, hint: Option<String>) -> ApiProblem {
        ApiProblem { hint, ..self }
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

impl IntoResponse for ApiProblem {
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

impl From<ServiceError> for ApiProblem {
    fn from(refusal: ServiceError) -> ApiProblem {
        let problem = ApiProblem::new(status(&refusal), refusal.code(), refusal.to_string());
        match refusal {
            ServiceError::Missing { hint, .. } => problem.hint(hint),
            ServiceError::Fields(fields) => problem.with("fields", json!(fields)),
            ServiceError::Problems { problems, text } => {
                problem.with("problems", json!(problems)).with("text", text)
            }
            ServiceError::Stranded(nodes) => problem.with("stranded", json!(nodes)),
            ServiceError::Unmerged(it) => {
                problem.with("conflicts", json!(it.clashes)).with("marked", json!(it.marked))
            }
            ServiceError::RefTaken(task) => problem.with(
                "task",
                json!({
                    "process": task.process, "ref": task.reference, "id": task.id,
                    "state": task.state.phase().as_str(), "node": task.at,
                }),
            ),
            ServiceError::NotFresh(it) => {
                let task = it.task;
                let seconds = |span: Span| span.0.div_ceil(1_000).max(1);
                problem
                    .with("expires_at", it.expires_at.map(time))
                    .with(RETRY_AFTER, it.retry_after.map(seconds))
                    .with("node", task.node)
                    .with("fault", json!(task.fault))
                    .with("alarm", json!(task.alarm))
            }
            ServiceError::TooOften { wait, .. } => problem.with(RETRY_AFTER, wait.0.div_ceil(1_000).max(1)),
            ServiceError::Denied { .. }
            | ServiceError::Forbidden { .. }
            | ServiceError::Bad { .. }
            | ServiceError::Busy(_)
            | ServiceError::Conflict { .. }
            | ServiceError::Changed(_)
            | ServiceError::TooManyTasks { .. }
            | ServiceError::Gone(_)
            | ServiceError::Unproven
            | ServiceError::Unready
            | ServiceError::NoRoom(_)
            | ServiceError::Store(_)
            | ServiceError::NotReady { .. }
            | ServiceError::File { .. }
            | ServiceError::Stopping => problem,
        }
    }
}

fn status(refusal: &ServiceError) -> StatusCode {
    match refusal {
        ServiceError::Denied { .. } | ServiceError::Forbidden { .. } => StatusCode::FORBIDDEN,
        ServiceError::Unproven => StatusCode::UNAUTHORIZED,
        ServiceError::Bad { code: "unsupported_media_type", .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ServiceError::Missing { .. } => StatusCode::NOT_FOUND,
        ServiceError::Bad { .. } | ServiceError::Fields(_) | ServiceError::Problems { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ServiceError::Stranded(_)
        | ServiceError::Unmerged(_)
        | ServiceError::RefTaken(_)
        | ServiceError::Conflict { .. } => StatusCode::CONFLICT,
        ServiceError::Changed(_) => StatusCode::PRECONDITION_FAILED,
        ServiceError::TooManyTasks { .. } | ServiceError::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
        ServiceError::Gone(_) => StatusCode::GONE,
        ServiceError::NoRoom(_) => StatusCode::INSUFFICIENT_STORAGE,
        ServiceError::Busy(_)
        | ServiceError::Unready
        | ServiceError::NotFresh(_)
        | ServiceError::NotReady { .. }
        | ServiceError::Store(StoreError::Lost(_))
        | ServiceError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        ServiceError::Store(StoreError::Corrupt(_)) | ServiceError::File { .. } => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
