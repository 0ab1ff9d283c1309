//! `http`: one request, and what is kept of its answer.
//!
//! ```yaml
//! ask:
//!   kind: http
//!   url: "https://api.example.com/v1/{{city}}?key={{key}}"
//!   save: {temperature: "= response.body.main.temp"}
//!   next: warm
//!   on_error: tell
//! ```
//!
//! ```yaml
//! order:
//!   kind: http
//!   method: POST
//!   url: "https://shop.example.com/orders"
//!   auth: {bearer: "{{secret.shop}}"}
//!   json: {sku: "{{sku}}", count: "{{count}}"}
//!   ok: "response.status == 201 and response.body.id is defined"
//!   fault: {code: "{{response.body.error}}", message: "{{response.body.detail}}"}
//!   save: {order: "= response.body.id"}
//!   unsure: stop
//!   next: done
//! ```
//!
//! An answer that is not `ok` is the fault `http_status`, or the one that `fault` makes of it. With
//! `unsure: stop`, a lost answer is the fault `outcome_unknown`, and is not tried again.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::model::effect::{Accept, Answer, Ask, Auth, Body, HttpAnswer, HttpAsk, Outcome};
use crate::model::expr::Expr;
use crate::model::fault::{Class, Fault};
use crate::model::kind::{Effects, Event, Kind, Spec, Verdict, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::View;
use crate::model::text::Text;
use crate::model::time::Span;
use crate::model::value::Draft;
use crate::nodes::fields::{Drafts, fill, refuse_reserved, texts};

/// The register's line.
pub const SPEC: Spec = Spec {
    name: "http",
    about: "one request",
    source: include_str!("http.rs"),
    secrets: true,
    parse: parse::<Http>,
    schema: schema::<Shape>,
};

/// How long an answer may take if nothing else is said.
const TIMEOUT_DEFAULT: Span = Span::secs(30);
/// The longest time an answer may take: a lease is longer, and a lost runner must be noticed.
const TIMEOUT_MAX: Span = Span::mins(10);
/// The largest answer, in bytes, if nothing else is said.
const ANSWER_BYTES_DEFAULT: u64 = 1024 * 1024;
/// The largest answer that may be asked for: it has to fit into memory many times over.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Redirects that are followed if nothing else is said.
const FOLLOW_DEFAULT: u8 = 5;
/// Passing faults of requests that nobody can have heard.
const UNHEARD: [&str; 2] = ["dns_failed", "http_connect"];
/// `Retry-After` beyond a day is not believed.
const RETRY_AFTER_MAX: Span = Span::days(1);

#[derive(Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Http {
    shape: Shape,
    method: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// `GET` if nothing is carried, else `POST`.
    method: Option<String>,
    /// Where to. Holes are percent-encoded, but one at the very start and `{{{raw}}}`.
    url: Text,
    /// Appended to the URL's query.
    #[serde(default)]
    query: Drafts,
    /// Headers of the request.
    #[serde(default)]
    headers: Drafts,
    /// Carried as `application/x-www-form-urlencoded`.
    form: Option<Drafts>,
    /// Carried as JSON.
    json: Option<Draft>,
    /// Carried as text.
    body: Option<Text>,
    /// How the request authorizes itself.
    auth: Option<AuthShape>,
    /// How long the answer may take.
    timeout: Option<Span>,
    /// When the answer is a good one; a status of 2xx if not given.
    ok: Option<Expr>,
    /// What to call an answer that is not `ok`.
    fault: Option<FaultShape>,
    /// What is kept of a good answer.
    #[serde(default)]
    save: Drafts,
    /// How the body is read.
    #[serde(default)]
    accept: Accept,
    /// The largest answer, in bytes.
    max_bytes: Option<u64>,
    /// How many redirects are followed.
    follow: Option<u8>,
    /// `oauth`: only hosts on the operator's list of OAuth token hosts are asked.
    hosts: Option<Hosts>,
    /// What to do when a crash leaves it open whether it was asked: `ask` again with the same key, or `stop`.
    #[serde(default)]
    unsure: Unsure,
    /// Where to.
    next: NodeName,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum AuthShape {
    /// HTTP Basic.
    Basic { user: Text, password: Text },
    /// A bearer token.
    Bearer(Text),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FaultShape {
    /// A stable word; lower-cased.
    code: Option<Draft>,
    /// For a person.
    message: Option<Draft>,
    /// `passing`, `lasting` or `unsure`, where the status says something else.
    class: Option<Draft>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Hosts {
    OAuth,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unsure {
    #[default]
    Ask,
    Stop,
}

impl TryFrom<Shape> for Http {
    type Error = String;

    fn try_from(shape: Shape) -> Result<Http, String> {
        let bodies = [shape.form.is_some(), shape.json.is_some(), shape.body.is_some()];
        let carried = bodies.into_iter().filter(|it| *it).count();
        if carried > 1 {
            return Err("a request carries one of `form`, `json` and `body`".to_owned());
        }
        if shape.timeout.is_some_and(|it| it > TIMEOUT_MAX || it == Span(0)) {
            return Err(format!("`timeout` is more than 0s and at most {TIMEOUT_MAX}"));
        }
        if shape.max_bytes.is_some_and(|it| it > ANSWER_BYTES_MAX) {
            return Err(format!("`max_bytes` is at most {ANSWER_BYTES_MAX}"));
        }
        refuse_reserved(shape.save.keys())?;
        let default = if carried == 0 { "GET" } else { "POST" };
        let method = shape.method.as_deref().unwrap_or(default).to_ascii_uppercase();
        if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&method.as_str()) {
            return Err(format!(
                "`{method}` is no method; hint: GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS"
            ));
        }
        Ok(Http { shape, method })
    }
}

impl Kind for Http {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.shape.next)]
    }

    fn decide(&self, event: Event, view: &View) -> Verdict {
        let verdict = match event {
            Event::Came | Event::Due => self.ask(&view.with_secrets()),
            Event::Answered(outcome) => self.take(outcome, view),
            Event::Letter(_) | Event::Replied(_) | Event::Order(_) => Ok(Verdict::Stay),
        };
        verdict.unwrap_or_else(Verdict::Fail)
    }

    fn rests(&self) -> bool {
        true
    }
}

impl Http {
    fn ask(&self, view: &View) -> Result<Verdict, Fault> {
        let shape = &self.shape;
        let ask = HttpAsk {
            method: self.method.clone(),
            url: shape.url.fill_url(view)?,
            query: texts(&shape.query, view)?,
            headers: texts(&shape.headers, view)?,
            auth: shape.auth.as_ref().map(|auth| auth.fill(view)).transpose()?,
            body: self.body(view)?,
            accept: shape.accept,
            bytes_max: shape.max_bytes.unwrap_or(ANSWER_BYTES_DEFAULT),
            redirects_max: shape.follow.unwrap_or(FOLLOW_DEFAULT),
            oauth_hosts_only: shape.hosts == Some(Hosts::OAuth),
        };
        Ok(Verdict::Do {
            ask: Ask::Http(Box::new(ask)),
            timeout: shape.timeout.unwrap_or(TIMEOUT_DEFAULT),
            once: shape.unsure == Unsure::Stop,
            effects: Effects::default(),
        })
    }

    fn body(&self, view: &View) -> Result<Body, Fault> {
        match (&self.shape.form, &self.shape.json, &self.shape.body) {
            (Some(form), _, _) => texts(form, view).map(Body::Form),
            (None, Some(json), _) => json.fill(view).map(Body::Json),
            (None, None, Some(text)) => text.fill(view).map(Body::Text),
            (None, None, None) => Ok(Body::None),
        }
    }

    fn take(&self, outcome: Outcome, view: &View) -> Result<Verdict, Fault> {
        let outcome = outcome.map_err(|fault| self.lost(fault));
        let Answer::Http(answer) = outcome? else {
            return Err(Fault::lasting("bad_response", "the answer is not one to an HTTP request"));
        };
        let good = (200..300).contains(&answer.status);
        let fault = Fault { retry_after: retry_after(&answer, view), ..status_fault(answer.status) };
        let HttpAnswer { status, headers, body } = answer;
        let view = view.with_response(json!({"status": status, "headers": headers, "body": body}));
        let ok = self.shape.ok.as_ref().map_or(Ok(good), |ok| ok.truth(&view));
        match ok {
            Ok(true) => Ok(Verdict::go_with(&self.shape.next, fill(&self.shape.save, &view)?)),
            Ok(false) => Err(self.name(fault, &view)),
            Err(_) if !good => Err(self.name(fault, &view)),
            Err(unclear) => Err(Fault { code: "bad_response".to_owned(), status: Some(status), ..unclear }),
        }
    }

    /// What is asked at most once is not tried again after an answer that was lost: it may have been heard.
    fn lost(&self, fault: Fault) -> Fault {
        let unheard = UNHEARD.contains(&fault.code.as_str());
        match self.shape.unsure {
            Unsure::Stop if fault.class == Class::Passing && !unheard => {
                Fault { class: Class::Unsure, code: "outcome_unknown".to_owned(), ..fault }
            }
            Unsure::Stop | Unsure::Ask => fault,
        }
    }

    /// What the author calls such an answer; what cannot be made of it stays as it was.
    fn name(&self, mut fault: Fault, view: &View) -> Fault {
        let Some(shape) = &self.shape.fault else { return fault };
        let text = |draft: &Option<Draft>| {
            draft.as_ref().and_then(|it| it.text(view).ok()).filter(|it| !it.is_empty())
        };
        if let Some(code) = text(&shape.code) {
            fault.code = code.to_lowercase();
        }
        if let Some(message) = text(&shape.message) {
            fault.message = message;
        }
        if let Some(class) = text(&shape.class).and_then(|it| Class::named(&it)) {
            fault.class = class;
        }
        fault
    }
}

impl AuthShape {
    fn fill(&self, view: &View) -> Result<Auth, Fault> {
        match self {
            AuthShape::Basic { user, password } => {
                Ok(Auth::Basic { user: user.fill(view)?, password: password.fill(view)? })
            }
            AuthShape::Bearer(token) => token.fill(view).map(Auth::Bearer),
        }
    }
}

fn status_fault(status: u16) -> Fault {
    let message = format!("the answer's status is {status}");
    let class = match status {
        408 | 425 | 429 | 500..=599 => Class::Passing,
        _ => Class::Lasting,
    };
    Fault { class, status: Some(status), ..Fault::lasting("http_status", message) }
}

/// `Retry-After` in seconds or as an HTTP date.
fn retry_after(answer: &HttpAnswer, view: &View) -> Option<Span> {
    let text = answer.headers.get("retry-after")?.as_str()?.trim();
    let span = match text.parse::<u64>() {
        Ok(secs) => Span::secs(secs.min(RETRY_AFTER_MAX.0 / 1_000)),
        Err(_) => {
            let time = jiff::fmt::rfc2822::parse(text).ok()?;
            crate::model::time::Timestamp(time.timestamp().as_millisecond()).since(view.now)
        }
    };
    Some(span.min(RETRY_AFTER_MAX))
}
