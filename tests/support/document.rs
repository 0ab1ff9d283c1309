//! The document of the API, and whether an answer is one that it names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use beltline::api::router::described;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// The document, made once.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(described().1).unwrap());

/// One operation of it.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) value: &'static Value,
}

/// All of them.
pub(crate) fn operations() -> Vec<Operation> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(|(method, value)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            value,
        })
    });
    all.collect()
}

impl Operation {
    /// Such as `GET /healthz`.
    pub(crate) fn place(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its answers by status, none of them by reference.
    pub(crate) fn responses(&self) -> BTreeMap<String, Value> {
        let answers = self.value["responses"].as_object().unwrap();
        let whole = |it: &Value| match it["$ref"].as_str() {
            Some(to) => DOCUMENT.pointer(to.trim_start_matches('#')).unwrap().clone(),
            None => it.clone(),
        };
        answers.iter().map(|(status, it)| (status.clone(), whole(it))).collect()
    }

    /// Whether a request to that path is one of it. The last name of a path may stand for several parts.
    fn takes(&self, method: &Method, path: &str) -> bool {
        let asked = if *method == Method::HEAD { "GET" } else { method.as_str() };
        if self.method != asked {
            return false;
        }
        let (mut told, mut said) = (self.path.split('/'), path.split('/'));
        loop {
            match (told.next(), said.next()) {
                (None, None) | (Some("{path}"), Some(_)) => return true,
                (Some(part), Some(it)) if part == it || part.starts_with('{') && !it.is_empty() => {}
                _ => return false,
            }
        }
    }
}

/// Fails if the document names no such answer of whom was asked. Whatever a test asks of a house passes here,
/// so that the document is as whole as the tests are.
pub(crate) fn check(method: &Method, path: &str, status: u16, headers: &HeaderMap) {
    let all = operations();
    let known = all.iter().filter(|it| it.takes(method, path));
    // `/audit/verify` before `/audit/{name}`, as the router has it.
    let Some(operation) = known.min_by_key(|it| it.path.matches('{').count()) else { return };
    let (place, responses) = (operation.place(), operation.responses());
    let answer = responses.get(&status.to_string()).or_else(|| responses.get("default"));
    let Some(answer) = answer else { panic!("{place} answers {status}, and its document names none such") };
    let kind = headers.get("content-type").map_or("", |it| it.to_str().unwrap());
    let kind = kind.split(';').next().unwrap_or_default();
    // Who asks for the head alone may be told as little.
    if *method == Method::HEAD && kind.is_empty() {
        return;
    }
    let kinds: Vec<&String> = answer["content"].as_object().into_iter().flat_map(|it| it.keys()).collect();
    let is_named = if kinds.is_empty() { kind.is_empty() } else { kinds.iter().any(|it| *it == kind) };
    assert!(is_named, "{place} answers {status} as `{kind}`, and its document says {kinds:?}");
}
