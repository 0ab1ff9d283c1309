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
//!
//! Instead of `json`, a request carries `form`, `multipart`, `xml` or `body`. A part of `multipart` is a text
//! or a file; a `body` is a text, or `{type, text}` or `{type, base64}`.
//!
//! ```yaml
//! upload:
//!   kind: http
//!   url: "https://files.example.com/upload"
//!   auth: {basic: {user: "{{name}}", password: "{{secret.shop}}"}}
//!   multipart:
//!     title: "{{name}}"
//!     photo: {file: "{{name}}.png", type: image/png, base64: "{{picture}}"}
//!   next: done
//! ```
//!
//! XML is written as a value: `@name` is an attribute, `#text` the text, a list repeats. `accept: xml` reads
//! an answer the same way; `accept: binary` makes `{base64, type, size}` of it.
//!
//! ```yaml
//! invoice:
//!   kind: http
//!   url: "https://bank.example.com/pay"
//!   auth: {hmac: {key: "{{secret.bank}}", header: X-Signature, of: "{{request.time}}.{{request.body}}",
//!     headers: {X-Time: "{{request.time}}"}}}
//!   tls: {cert: "{{secret.bank_cert}}", key: "{{secret.bank_key}}", ca: "{{secret.bank_ca}}"}
//!   xml: {payment: {"@currency": EUR, sum: "{{sum}}", line: ["{{text}}", "thank you"]}}
//!   next: done
//! ```
//!
//! `max_parallel` and `rate` keep a node from asking too much at once; a 429 with `Retry-After` stops every
//! request to that host until then, and a 503 all but one a minute. A task that finds no room waits for it,
//! and spends no try on that: for `permit_timeout` at most, and not past the moment at which a value of its
//! own that dies needs a person. If there is none by then, that is the fault `no_room`, at once:
//!
//! ```yaml
//! order:
//!   kind: http
//!   url: "https://shop.example.com/orders"
//!   permit_timeout: 15m
//!   next: done
//!   on_error: tell
//! ```
//!
//! `pages` gathers the items of a list that comes in pages:
//!
//! ```yaml
//! leads:
//!   kind: http
//!   url: "https://crm.example.com/leads"
//!   auth:
//!     oauth2: {token_url: "https://crm.example.com/token", client_id: me, client_secret: "{{secret.shop}}"}
//!   max_parallel: 2
//!   rate: 10/s
//!   pages: {next: "= response.body.next", items: "= response.body.items", max: 50}
//!   save: {leads: "= response.items|length", all: "= not response.truncated"}
//!   next: done
//! ```
//!
//! `keep_unread` names a secret param for an answer of 2xx that the node could make nothing of, if it may be
//! the only place where something stands. All of it is explained in [HTTP requests](http-requests.md).

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::charset_name::Charset;
use crate::model::effect::{BodyFormat, ExternalAnswer, HttpAnswer, HttpRequest, Outcome, Pace, Request};
use crate::model::expr::Expr;
use crate::model::fault::{Class, Fault};
use crate::model::helpers::urlencode;
use crate::model::kind::{Changes, Decision, Kind, KindSpec, NodeEvent, Parsed, schema};
use crate::model::marks::MASK;
use crate::model::names::NodeName;
use crate::model::rate::Rate;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::model::time::Span;
use crate::model::tree::{Tree, TreeError};
use crate::model::value::ValueTemplate;
use crate::nodes::fields::{Drafts, fill, refuse_reserved, texts, wrong_header, wrong_url};
use crate::nodes::http_auth::{AuthShape, TlsShape};
use crate::nodes::http_body::{BodyShape, Carried, PartsShape, XmlShape};
use crate::nodes::http_follow::{FOLLOW_DEFAULT, Follow};
use crate::nodes::http_pages::{PagesShape, Progress, Turned};
use crate::nodes::http_unread::or_keep;

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "http",
    about: "one request",
    source: include_str!("http.rs"),
    secrets: true,
    parse,
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
/// Passing faults of requests that nobody can have heard.
const UNHEARD: [&str; 4] = ["dns_failed", "http_connect", "oauth2_failed", "no_room"];
/// The methods there are.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// The most requests at once that are a limit at all.
const PARALLEL_MAX: u32 = 10_000;

#[derive(Debug)]
struct Http {
    shape: Shape,
    method: String,
    carried: Carried,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// `GET` if nothing is carried, else `POST`.
    method: Option<String>,
    /// Where to. Placeholders are percent-encoded, but one at the very start and `{{{raw}}}`.
    url: StringTemplate,
    /// Appended to the URL's query.
    #[serde(default)]
    query: Drafts,
    /// Headers of the request.
    #[serde(default)]
    headers: Drafts,
    /// Carried as `application/x-www-form-urlencoded`.
    form: Option<Drafts>,
    /// Carried as JSON.
    json: Option<ValueTemplate>,
    /// Carried as text; or `{type, text}` or `{type, base64}`, carried as that content type.
    body: Option<BodyShape>,
    /// Carried as XML: a value (`@name` is an attribute, `#text` the text, a list repeats), or a text whose
    /// placeholders are escaped.
    xml: Option<XmlShape>,
    /// Carried as `multipart/form-data`: `name: text` or `name: {file, type, text}`, `{file, type, base64}`.
    multipart: Option<PartsShape>,
    /// How the request authorizes itself.
    auth: Option<AuthShape>,
    /// A client's certificate, and the CAs that are trusted, in PEM.
    tls: Option<TlsShape>,
    /// How many requests of this node are out at once, over all tasks.
    max_parallel: Option<u32>,
    /// How many requests of this node go out in a time, over all tasks, as `10/s`.
    rate: Option<Rate>,
    /// How long a task waits for a permit, while the host is closed or a limit reached; then it has the fault
    /// `no_room`. As long as it takes if not given.
    permit_timeout: Option<Span>,
    /// A list that comes in pages: all of its items, in one visit.
    pages: Option<PagesShape>,
    /// How long the answer may take.
    timeout: Option<Span>,
    /// When the answer is a good one; a status of 2xx if not given.
    ok: Option<Expr>,
    /// What to call an answer that is not `ok`.
    fault: Option<FaultShape>,
    /// What is kept of a good answer.
    #[serde(default)]
    save: Drafts,
    /// The secret param that takes an answer of 2xx as it came, where it ends in a fault.
    keep_unread: Option<String>,
    /// How the body is read.
    #[serde(default)]
    accept: BodyFormat,
    /// The charset of the body, such as `windows-1251`, whatever the answer says.
    charset: Option<Charset>,
    /// The largest answer, in bytes.
    max_bytes: Option<u64>,
    /// How many redirects are followed. `as_get`: also those after a write that say to look elsewhere
    /// (301, 302, 303), which are the fault `redirected` otherwise.
    follow: Option<Follow>,
    /// `oauth`: only hosts on the operator's list of OAuth token hosts are asked.
    hosts: Option<Hosts>,
    /// What to do when a crash leaves it open whether it was asked: `ask` again with the same key, or `stop`.
    #[serde(default)]
    unsure: Unsure,
    /// Where to.
    next: NodeName,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FaultShape {
    /// A stable word; lower-cased.
    code: Option<ValueTemplate>,
    /// For a person.
    message: Option<ValueTemplate>,
    /// `passing`, `lasting` or `unsure`, where the status says something else.
    class: Option<ValueTemplate>,
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

/// Reads a node, and tells all that is wrong with it.
fn parse(tree: &Tree) -> Parsed {
    let mut shape: Shape = tree.read()?;
    let mut wrong = Vec::new();
    let mut bad = |key: &str, said: Option<String>| {
        let Some(said) = said else { return };
        let (message, hint) =
            said.split_once("; hint: ").map_or((said.as_str(), None), |(it, hint)| (it, Some(hint)));
        let spot = tree.get(key).map_or(tree.spot, |it| it.spot);
        wrong.push(TreeError { message: message.to_owned(), hint: hint.map(str::to_owned), spot });
    };
    let named =
        ["form", "json", "body", "xml", "multipart"].into_iter().filter(|key| tree.get(key).is_some());
    let bodies: Vec<&str> = named.collect();
    if let [first, second, ..] = bodies.as_slice() {
        let hint = "a request carries one of `form`, `json`, `body`, `xml` and `multipart`";
        bad(second, Some(format!("`{first}` is carried already; hint: {hint}")));
    }
    let default = if bodies.is_empty() { "GET" } else { "POST" };
    let method = shape.method.as_deref().unwrap_or(default).to_ascii_uppercase();
    bad("method", wrong_method(&method, bodies.first().copied()));
    bad("url", wrong_url(&shape.url));
    bad("headers", shape.headers.iter().find_map(wrong_header));
    bad("timeout", wrong_timeout(shape.timeout));
    let too_large = shape.max_bytes.is_some_and(|it| it > ANSWER_BYTES_MAX);
    bad("max_bytes", too_large.then(|| format!("`max_bytes` is at most {ANSWER_BYTES_MAX}")));
    let parallel = shape.max_parallel.is_some_and(|it| it == 0 || it > PARALLEL_MAX);
    bad("max_parallel", parallel.then(|| format!("`max_parallel` is from 1 to {PARALLEL_MAX}")));
    let of_bytes = shape.charset.is_some() && shape.accept == BodyFormat::Binary;
    bad(
        "charset",
        of_bytes.then(|| "bytes have no charset; hint: leave out `charset` or `accept`".to_owned()),
    );
    bad("save", refuse_reserved(shape.save.keys()).err());
    bad("tls", shape.tls.as_ref().and_then(TlsShape::wrong));
    bad("auth", shape.auth.as_ref().and_then(AuthShape::wrong));
    bad("pages", shape.pages.as_ref().and_then(PagesShape::wrong));
    let empty = shape.multipart.as_ref().is_some_and(PartsShape::is_empty);
    bad("multipart", empty.then(|| "there is no part; hint: write `name: text` for each".to_owned()));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let carried = shape.carried();
    Ok(Box::new(Http { shape, method, carried }))
}

fn wrong_method(method: &str, body: Option<&str>) -> Option<String> {
    if !METHODS.contains(&method) {
        return Some(format!("`{method}` is no method; hint: {}", METHODS.join(", ")));
    }
    // JSON under GET or DELETE is what some search servers want; files and documents never are.
    let body = body.filter(|it| matches!(*it, "multipart" | "xml"))?;
    let bare = matches!(method, "GET" | "HEAD");
    bare.then(|| format!("a {method} carries no `{body}`; hint: leave `method` out, or write POST or PUT"))
}

fn wrong_timeout(timeout: Option<Span>) -> Option<String> {
    let bad = timeout.is_some_and(|it| it > TIMEOUT_MAX || it == Span(0));
    bad.then(|| format!("`timeout` is more than 0s and at most {TIMEOUT_MAX}"))
}

impl Shape {
    /// Whether nothing of an answer but its status counts.
    fn reads_nothing(&self) -> bool {
        let looks = self.ok.is_some() || self.fault.is_some() || self.pages.is_some();
        let looks = looks || self.keep_unread.is_some();
        self.accept == BodyFormat::Auto && self.save.is_empty() && !looks
    }

    /// What the request carries, taken out of the shape.
    fn carried(&mut self) -> Carried {
        let form = self.form.take().map(Carried::Form);
        let json = || self.json.take().map(Carried::Json);
        let carried = form.or_else(json);
        let carried = carried.or_else(|| self.body.take().map(Carried::Body));
        let carried = carried.or_else(|| self.xml.take().map(Carried::Xml));
        carried.or_else(|| self.multipart.take().map(Carried::Multipart)).unwrap_or(Carried::None)
    }
}

impl Kind for Http {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.shape.next)]
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        let decision = match event {
            NodeEvent::Came | NodeEvent::Due => self.ask(&view.with_secrets()),
            NodeEvent::Answered(outcome) => {
                let take = |outcome| self.take(outcome, view);
                or_keep(self.shape.keep_unread.as_deref(), outcome, &view.task.params, take)
            }
            NodeEvent::Signal(_) | NodeEvent::Replied(_) | NodeEvent::Command(_) => Ok(Decision::Stay),
        };
        decision.unwrap_or_else(Decision::Fail)
    }

    fn rests(&self) -> bool {
        true
    }

    fn permit_timeout(&self) -> Option<Span> {
        self.shape.permit_timeout
    }

    fn keeps_unread(&self) -> Option<&str> {
        self.shape.keep_unread.as_deref()
    }
}

impl Http {
    fn ask(&self, view: &EvalContext) -> Result<Decision, Fault> {
        let progress = self.shape.pages.as_ref().map(|_| Progress::of(&view.task));
        self.ask_for(progress.as_ref(), view, Changes::default())
    }

    fn ask_for(
        &self,
        progress: Option<&Progress>,
        view: &EvalContext,
        effects: Changes,
    ) -> Result<Decision, Fault> {
        let shape = &self.shape;
        let (url, is_secret) = view.scope.taint.during(|| shape.url.fill_url(view));
        let asked = is_secret.then(|| view.shown(&[], |view| shape.url.fill_url(view))).transpose()?;
        // Nobody reads an encoded mask.
        let asked = asked.map(|url| url.replace(&urlencode(MASK), MASK));
        let mut ask = HttpRequest {
            method: self.method.clone(),
            url: url?,
            query: texts(&shape.query, view)?,
            headers: texts(&shape.headers, view)?,
            auth: shape.auth.as_ref().map(|auth| auth.fill(view)).transpose()?,
            body: self.carried.fill(view)?,
            accept: shape.accept,
            charset: shape.charset,
            bytes_max: shape.max_bytes.unwrap_or(ANSWER_BYTES_DEFAULT),
            redirects_max: shape.follow.map_or(FOLLOW_DEFAULT, Follow::most),
            as_get: shape.follow.is_some_and(Follow::is_as_get),
            oauth_hosts_only: shape.hosts == Some(Hosts::OAuth),
            tls: shape.tls.as_ref().map(|tls| tls.fill(view)).transpose()?,
            pace: self.pace(view),
            page: None,
            unread: shape.reads_nothing(),
            keeps_unread: shape.keep_unread.is_some(),
            fresh: false,
        };
        if let (Some(pages), Some(progress)) = (&shape.pages, progress) {
            pages.turn_to(progress, &mut ask);
        }
        Ok(Decision::Do {
            ask: Request::Http(Box::new(ask)),
            timeout: shape.timeout.unwrap_or(TIMEOUT_DEFAULT),
            once: shape.unsure == Unsure::Stop,
            effects: Changes { asked, ..effects },
        })
    }

    fn pace(&self, view: &EvalContext) -> Option<Pace> {
        let (parallel, rate) = (self.shape.max_parallel, self.shape.rate);
        let node = || format!("{}/{}", view.task.process, view.task.at);
        (parallel.is_some() || rate.is_some()).then(|| Pace { node: node(), parallel, rate })
    }

    fn take(&self, outcome: Outcome, view: &EvalContext) -> Result<Decision, Fault> {
        let outcome = outcome.map_err(|fault| self.lost(fault));
        let ExternalAnswer::Http(answer) = outcome? else {
            return Err(Fault::lasting("bad_response", "the answer is not one to an HTTP request"));
        };
        let good = (200..300).contains(&answer.status);
        let fault = Fault { retry_after: answer.retry_after(view.now), ..status_fault(answer.status) };
        let HttpAnswer { status, headers, body, broken } = answer;
        if let Some(fault) = broken {
            return Err(self.lost(*fault));
        }
        let mut response = Map::from_iter([
            ("status".to_owned(), Value::from(status)),
            ("headers".to_owned(), Value::Object(headers)),
            ("body".to_owned(), body),
        ]);
        let seen = view.with_response(Value::Object(response.clone()));
        let ok = self.shape.ok.as_ref().map_or(Ok(good), |ok| ok.truth(&seen));
        match ok {
            Ok(true) => {}
            Ok(false) => return Err(self.name(fault, &seen)),
            Err(_) if !good => return Err(self.name(fault, &seen)),
            Err(unclear) => {
                return Err(Fault { code: "bad_response".to_owned(), status: Some(status), ..unclear });
            }
        }
        let Some(pages) = &self.shape.pages else {
            return Ok(Decision::go_with(&self.shape.next, fill(&self.shape.save, &seen)?));
        };
        match pages.take(Progress::of(&view.task), &seen)? {
            Turned::On(progress) => {
                let effects = Changes { progress: Some(progress.kept()), ..Changes::default() };
                self.ask_for(Some(&progress), &view.with_secrets(), effects)
            }
            Turned::Over(more, marks) => {
                response.extend(more);
                let seen = view.with_reply(Value::Object(response), marks);
                Ok(Decision::go_with(&self.shape.next, fill(&self.shape.save, &seen)?))
            }
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
    fn name(&self, mut fault: Fault, view: &EvalContext) -> Fault {
        let Some(shape) = &self.shape.fault else { return fault };
        let text = |draft: &Option<ValueTemplate>| {
            let text = draft.as_ref().map(|it| view.shown(&[], |view| it.text(view)));
            text.and_then(Result::ok).filter(|it| !it.is_empty())
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

fn status_fault(status: u16) -> Fault {
    let message = format!("the answer's status is {status}");
    let class = match status {
        408 | 425 | 429 | 500..=599 => Class::Passing,
        _ => Class::Lasting,
    };
    Fault { class, status: Some(status), ..Fault::lasting("http_status", message) }
}
