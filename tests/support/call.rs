//! One request to a house, and its answer.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::support::document::check;

/// A request under way.
pub(crate) struct Call {
    client: Client,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Call {
    pub(crate) fn new(client: &Client, method: &str, url: String) -> Call {
        let method = method.parse().unwrap();
        Call { client: client.clone(), method, url, headers: HeaderMap::new(), body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Call {
        let name: HeaderName = name.parse().unwrap();
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// With that token instead of the operator's; an empty one is none.
    pub(crate) fn token(mut self, token: &str) -> Call {
        if token.is_empty() {
            self.headers.remove("authorization");
            return self;
        }
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Call {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn yaml(self, body: &str) -> Call {
        self.body("application/yaml", body)
    }

    pub(crate) fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Call {
        self.body = body.into();
        self.header("content-type", kind)
    }

    pub(crate) async fn send(self) -> Answer {
        let method = self.method.clone();
        let request = self.client.request(self.method, &self.url).headers(self.headers).body(self.body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        check(&method, response.url().path(), status, &headers);
        Answer { status, headers, text: response.text().await.unwrap() }
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    /// The body as JSON, of an answer that is as it should be.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem of an answer that is one: every part of the form is there, and nothing else says so.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], "about:blank");
        let detail = body["detail"].as_str().unwrap();
        let lower = !detail.starts_with(|it: char| it.is_uppercase() && !detail.starts_with('`'));
        assert!(lower && !detail.ends_with('.') && !detail.is_empty(), "{detail}");
        body
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}
