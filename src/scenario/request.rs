//! A request as a scenario sees it: its parts as a value, with the secrets in it opened.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::channels::marks::{Piece, marked, pieces};
use crate::model::effect::{Auth, Body, Content, HttpRequest, MultipartField};

/// The parts of a request: `method`, `url` (without its query), `query`, `headers`, `auth`, and one of
/// `form`, `json`, `xml`, `multipart`, `text` and `base64`.
pub(super) fn parts_of(ask: &HttpRequest, secrets: &BTreeMap<String, String>) -> Value {
    let open = |text: &str| opened(text, secrets);
    let url = open(&ask.url);
    let (url, own_query) = url.split_once('?').unwrap_or((&url, ""));
    let mut query: Map<String, Value> = url::form_urlencoded::parse(own_query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect();
    query.extend(texts(&ask.query, &open));
    let headers = texts(&ask.headers, &open).into_iter().map(|(name, it)| (name.to_lowercase(), it));
    let mut parts = Map::new();
    parts.insert("method".to_owned(), ask.method.clone().into());
    parts.insert("url".to_owned(), url.into());
    parts.insert("query".to_owned(), query.into());
    parts.insert("headers".to_owned(), headers.collect());
    if let Some(auth) = &ask.auth {
        parts.insert("auth".to_owned(), auth_of(auth, &open));
    }
    match &ask.body {
        Body::None => {}
        Body::Json(value) => drop(parts.insert("json".to_owned(), deep(value, &open))),
        Body::Form(pairs) => drop(parts.insert("form".to_owned(), texts(pairs, &open).into())),
        Body::Text(text) | Body::XmlText(text) => drop(parts.insert("text".to_owned(), open(text).into())),
        Body::Xml(value) => drop(parts.insert("xml".to_owned(), deep(value, &open))),
        Body::Raw { content_type, content } => {
            parts.insert("content_type".to_owned(), content_type.as_str().into());
            parts.extend(content_of(content, &open));
        }
        Body::Multipart(all) => {
            let all: Vec<Value> = all.iter().map(|it| part_of(it, &open)).collect();
            parts.insert("multipart".to_owned(), all.into());
        }
    }
    Value::Object(parts)
}

fn part_of(part: &MultipartField, open: &impl Fn(&str) -> String) -> Value {
    let mut map = Map::from_iter([("name".to_owned(), Value::from(part.name.as_str()))]);
    let named = [("file", &part.file), ("content_type", &part.content_type)];
    let named = named.into_iter().filter_map(|(name, it)| Some((name.to_owned(), open(it.as_ref()?).into())));
    map.extend(named);
    map.extend(content_of(&part.content, open));
    Value::Object(map)
}

fn content_of(content: &Content, open: &impl Fn(&str) -> String) -> Map<String, Value> {
    let (name, text) = match content {
        Content::Text(text) => ("text", text),
        Content::Base64(text) => ("base64", text),
    };
    Map::from_iter([(name.to_owned(), open(text).into())])
}

fn auth_of(auth: &Auth, open: &impl Fn(&str) -> String) -> Value {
    match auth {
        Auth::Basic { user, password } => {
            json!({"basic": {"user": open(user), "password": open(password)}})
        }
        Auth::Bearer(token) => json!({"bearer": open(token)}),
        Auth::Signed(_) => json!({"signed": true}),
        Auth::Oauth2(grant) => {
            json!({"oauth2": {"client_id": open(&grant.client_id), "scope": grant.scope}})
        }
        Auth::Hmac(signing) => json!({"hmac": {"header": signing.header}}),
    }
}

fn texts(pairs: &[(String, String)], open: &impl Fn(&str) -> String) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| (name.clone(), Value::from(open(value)))).collect()
}

fn deep(value: &Value, open: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::from(open(text)),
        Value::Array(items) => items.iter().map(|it| deep(it, open)).collect(),
        Value::Object(map) => map.iter().map(|(name, it)| (name.clone(), deep(it, open))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A text with the scenario's own secrets where their marks stand. One that it does not give cannot have been
/// asked for: the engine knows their names.
pub(super) fn opened(text: &str, secrets: &BTreeMap<String, String>) -> String {
    if !marked(text) {
        return text.to_owned();
    }
    let open = |piece| match piece {
        Piece::Plain(text) => text,
        Piece::Secret(name) => secrets.get(name).map_or("", String::as_str),
    };
    pieces(text).into_iter().map(open).collect()
}
