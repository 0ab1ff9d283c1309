//! [`Remote`]: the REST API as verbs use it. Knows its addresses, its errors and its lists.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

use crate::cli::failure::Usage;
use crate::cli::out::{one_line, text};
use crate::model::near::nearest;

/// What stands in a path as it is: unreserved characters.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Longer than the longest `--wait` that the server takes, which is five minutes.
const TIMEOUT: Duration = Duration::from_secs(330);
/// Somebody who does not answer by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a page is asked for at once.
pub const PAGE: usize = 500;

/// A server, and who speaks to it.
#[derive(Clone)]
pub struct Remote {
    http: reqwest::Client,
    base: Url,
    token: Option<Zeroizing<String>>,
}

/// The server said no.
#[derive(Clone, Debug, Error)]
#[error("{}", self.told())]
pub struct ServerRefusal {
    /// The status.
    pub status: u16,
    /// The problem, as the server described it.
    pub problem: Value,
}

impl ServerRefusal {
    /// The stable word for what went wrong.
    pub fn code(&self) -> &str {
        text(&self.problem, "code")
    }

    fn told(&self) -> String {
        if let Some(rendered) = self.problem.get("text").and_then(Value::as_str) {
            return format!("{}\n{}", self.detail(), rendered.trim_end());
        }
        let fields = self.problem.get("fields").and_then(Value::as_array);
        let detail = self.detail();
        let fields = fields.into_iter().flatten().filter(|it| !detail.contains(text(it, "message")));
        let fields = fields.map(|it| format!("{}: {}", text(it, "name"), text(it, "message")));
        let stranded = self.problem.get("stranded").and_then(Value::as_array);
        let stranded = stranded.into_iter().flatten();
        let stranded = stranded.map(|it| format!("{} on `{}`", it["tasks"], text(it, "node")));
        let conflicts = self.problem.get("conflicts").and_then(Value::as_array).into_iter().flatten();
        let conflicts = conflicts.map(conflict);
        let lines = std::iter::once(detail.clone()).chain(fields).chain(stranded).chain(conflicts);
        let lines: Vec<String> = lines.collect();
        let told = lines.join("\n  ");
        match text(&self.problem, "hint") {
            "" => told,
            hint => format!("{told}; hint: {hint}"),
        }
    }

    fn detail(&self) -> String {
        let detail = [text(&self.problem, "detail"), text(&self.problem, "title")];
        let detail = detail.into_iter().find(|it| !it.is_empty()).map(str::to_owned);
        detail.unwrap_or_else(|| format!("the server answered {}", self.status))
    }
}

/// What two texts have in the same place.
fn conflict(it: &Value) -> String {
    let side = |name: &str, mark: &str| {
        let lines: Vec<String> = text(it, name).lines().map(|line| format!("\n    {mark} {line}")).collect();
        lines.concat()
    };
    format!(
        "line {}, yours (-) and the template's (+):{}{}",
        it["line"],
        side("yours", "-"),
        side("theirs", "+")
    )
}

impl Remote {
    /// The server at `base`.
    pub fn new(base: Url, token: Option<Zeroizing<String>>) -> Result<Remote> {
        // Another part of this process may have installed it already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("beltline/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("the HTTP client cannot be made")?;
        Ok(Remote { http, base, token })
    }

    /// Where it is.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Who speaks to it; empty if no one does.
    pub fn token(&self) -> &str {
        self.token.as_ref().map_or("", |it| it.as_str())
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        is_local(&self.base)
    }

    /// What is at `path`.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.json(self.request(Method::GET, path)).await
    }

    /// Posts `body` to `path`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    /// Puts `body` at `path`.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.json(self.request(Method::PUT, path).json(body)).await
    }

    /// Changes what is at `path` as `body` says.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.json(self.request(Method::PATCH, path).json(body)).await
    }

    /// Removes what is at `path`.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.json(self.request(Method::DELETE, path)).await
    }

    /// A page of a list, or as many pages as it takes to fill `limit`.
    pub async fn list(&self, path: &str, limit: usize) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        let glue = if path.contains('?') { '&' } else { '?' };
        while items.len() < limit {
            let from = cursor.as_deref().map(|it| format!("&cursor={}", encoded(it))).unwrap_or_default();
            let size = PAGE.min(limit - items.len());
            let mut page = self.get(&format!("{path}{glue}limit={size}{from}")).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base());
        let request = self.http.request(method, url).header(ACCEPT, "application/json").timeout(TIMEOUT);
        match &self.token {
            Some(token) => request.bearer_auth(token.as_str()),
            None => request,
        }
    }

    /// The answer as it is, if it is a good one.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(self.refused(answer).await)
    }

    /// The answer as JSON; nothing as null.
    pub async fn json(&self, request: RequestBuilder) -> Result<Value> {
        let answer = self.send(request).await?;
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(error))?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).with_context(|| format!("{} did not answer with JSON", self.base()))
    }

    /// The same error, with the name that may have been meant if there is no such process.
    pub async fn explained(&self, error: anyhow::Error, process: &str) -> anyhow::Error {
        let refusal = error.downcast_ref::<ServerRefusal>();
        let not_found = refusal.is_some_and(|it| it.status == 404);
        // What the server knows of that very name says more.
        let known = refusal.map_or("", |it| text(&it.problem, "hint"));
        if !not_found || !(known.is_empty() || known.starts_with("did you mean")) {
            return error;
        }
        let Ok(known) = self.list(PROCESSES, PAGE).await else { return error };
        let names = || known.iter().map(|it| text(it, "id"));
        match nearest(process, names()) {
            Some(near) if near != process && !names().any(|it| it == process) => {
                anyhow!("there is no process `{}`; hint: did you mean `{near}`?", one_line(process))
            }
            _ => error,
        }
    }

    async fn refused(&self, answer: Response) -> anyhow::Error {
        let status = answer.status();
        let is_json = answer
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|it| it.to_str().is_ok_and(|it| it.contains("json")));
        let body = answer.bytes().await.unwrap_or_default();
        let mut problem = match serde_json::from_slice(&body) {
            Ok(problem @ Value::Object(_)) if is_json => problem,
            _ => json!({"detail": format!("{} answered {status}", self.base())}),
        };
        // What the server hints at is for programs that speak HTTP.
        if status == StatusCode::UNAUTHORIZED {
            let hint = match self.token {
                Some(_) => "the token is not good there; look at BELTLINE_TOKEN and --token-file",
                None => "give BELTLINE_TOKEN or --token-file; on the server's machine --data is enough",
            };
            problem["hint"] = Value::from(hint);
        }
        ServerRefusal { status: status.as_u16(), problem }.into()
    }

    fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        let base = self.base();
        if error.is_connect() {
            return anyhow!(
                "no server answers at {base}; hint: start it with `beltline serve`, or say where it is with \
                 --server"
            );
        }
        if error.is_timeout() {
            return anyhow!("{base} did not answer in time");
        }
        anyhow::Error::new(error.without_url()).context(format!("{base} did not answer"))
    }
}

/// Where the processes are.
pub const PROCESSES: &str = "/api/v1/processes";

/// The path of a process.
pub fn process_path(process: &str) -> String {
    format!("{PROCESSES}/{}", encoded(process))
}

/// The path of a task.
pub fn task_path(process: &str, reference: &str) -> String {
    format!("{}/tasks/{}", process_path(process), encoded(reference))
}

/// The path of what has a name, below `path`.
///
/// # Errors
/// No address leads to that name: `.` and `..` go up in one, and nothing is nowhere.
pub fn named(path: &str, name: &str) -> Result<String> {
    match name {
        "" | "." | ".." => {
            let hint = "a name has letters, digits, `-` and `_`";
            Err(Usage(format!("`{name}` is no name; hint: {hint}")).into())
        }
        name => Ok(format!("{path}/{}", encoded(name))),
    }
}

/// A text as one part of a path, or as a value in a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Whether a URL leads to this machine.
pub fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_ref_is_one_part_of_a_path() {
        assert_eq!(task_path("p", "a/b?c#d é"), "/api/v1/processes/p/tasks/a%2Fb%3Fc%23d%20%C3%A9");
    }

    #[test]
    fn the_local_token_goes_to_this_machine_only() {
        for (url, local) in [
            ("http://127.0.0.1:7700", true),
            ("http://[::1]:7700", true),
            ("http://localhost:1", true),
            ("http://127.0.0.1.evil.org", false),
            ("https://beltline.example.org", false),
        ] {
            assert_eq!(is_local(&Url::parse(url).unwrap()), local, "{url}");
        }
    }

    #[test]
    fn a_refusal_tells_all_that_is_wrong() {
        let problem = json!({
            "detail": "the params do not fit", "hint": "look at the form",
            "fields": [{"name": "city", "code": "missing_param", "message": "is required"}],
        });
        let told = ServerRefusal { status: 422, problem }.to_string();
        assert_eq!(told, "the params do not fit\n  city: is required; hint: look at the form");
    }
}
