//! Reads the body of an answer: never more than was asked for, never deeper than can be walked, text by its
//! charset.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value, json};

use crate::model::effect::{Accept, HttpAnswer, MARK_CLOSE, MARK_OPEN};
use crate::model::fault::Fault;
use crate::model::xml;
use crate::world::request::Shown;
use crate::world::trouble;

/// The most bytes of headers that are taken: servers send one or two kilobytes.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// An XML declaration is at the very beginning, and short.
const DECLARATION_BYTES_MAX: usize = 200;
/// As much room as is made for a body before it is there.
const ROOM_BYTES_MAX: u64 = 64 * 1024;

/// The whole answer, its body read by `accept`.
///
/// # Errors
/// `response_too_large`, `bad_response`, and all that a connection can do.
pub async fn read(
    mut response: Response,
    accept: Accept,
    bytes_max: u64,
    shown: &Shown,
) -> Result<HttpAnswer, Fault> {
    let status = response.status().as_u16();
    let headers = headers(response.headers(), shown)?;
    let content_type = text_of(response.headers(), CONTENT_TYPE.as_str());
    let encoding = text_of(response.headers(), CONTENT_ENCODING.as_str());
    let room = response.content_length().unwrap_or(0).min(ROOM_BYTES_MAX).min(bytes_max);
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
    // Counted after decompression, so that a small answer cannot unfold into a large one.
    while let Some(chunk) = response.chunk().await.map_err(|it| trouble::in_body(&it, shown))? {
        if (bytes.len() + chunk.len()) as u64 > bytes_max {
            return Err(too_large(
                shown,
                &format!("is larger than {bytes_max} bytes; hint: see `max_bytes`"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    if !bytes.is_empty() && !matches!(encoding.as_str(), "" | "identity") {
        return Err(bad(shown, status, "is compressed in a way that was not asked for"));
    }
    let body = parse(&bytes, &content_type, accept, status).map_err(|why| bad(shown, status, &why))?;
    Ok(HttpAnswer { status, headers, body })
}

/// The body as JSON or text. Only an answer that claims success must be what was asked for: an error page of
/// a proxy is an answer too.
fn parse(bytes: &[u8], content_type: &str, accept: Accept, status: u16) -> Result<Value, String> {
    let text = crate::world::charset::decode(bytes, content_type);
    let head = text.trim_start();
    let named = says_json(content_type);
    let wanted = match accept {
        Accept::Binary => return Ok(binary(bytes, content_type)),
        Accept::Xml => return document(bytes, content_type, status),
        Accept::Text => return Ok(disarmed(Value::String(text))),
        Accept::Json => true,
        Accept::Auto => named || head.starts_with(['{', '[']),
    };
    if head.is_empty() && (accept == Accept::Auto || status == 204) {
        return Ok(if named || status == 204 { Value::Null } else { Value::String(text) });
    }
    if !wanted {
        return Ok(disarmed(Value::String(text)));
    }
    // serde_json goes no deeper than 128 levels, and takes no half of a character: half an emoji in a field
    // that nobody reads must not cost an answer.
    match serde_json::from_str(&text).or_else(|why| serde_json::from_str(&whole(&text)).map_err(|_| why)) {
        Ok(value) => Ok(disarmed(value)),
        Err(why) if (200..300).contains(&status) && (named || accept == Accept::Json) => {
            Err(format!("is no JSON: {why}"))
        }
        Err(_) => Ok(disarmed(Value::String(text))),
    }
}

/// A JSON text in which each escaped half of a character that stands alone is a replacement character.
fn whole(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        whole.push_str(before);
        let alone = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => None,
            (Some(0xD800..=0xDFFF), _) => Some(6),
            (Some(_) | None, _) => None,
        };
        let taken = alone.unwrap_or_else(|| if unit(escape).is_some_and(is_half) { 12 } else { 2 });
        let taken = (taken..=escape.len()).find(|end| escape.is_char_boundary(*end)).unwrap_or(escape.len());
        whole.push_str(if alone.is_some() { "\\ufffd" } else { &escape[..taken] });
        rest = &escape[taken..];
    }
    whole.push_str(rest);
    whole
}

/// The number after `\u`.
fn unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

fn is_half(unit: u16) -> bool {
    (0xD800..=0xDFFF).contains(&unit)
}

/// Bytes, as JSON can hold them.
fn binary(bytes: &[u8], content_type: &str) -> Value {
    json!({"base64": BASE64_STANDARD.encode(bytes), "type": content_type, "size": bytes.len()})
}

/// XML as a value. Where the content type names no charset, the document does.
fn document(bytes: &[u8], content_type: &str, status: u16) -> Result<Value, String> {
    let named = content_type.to_ascii_lowercase().contains("charset=");
    let declared = if named { None } else { declared(bytes) };
    let content_type = declared.map_or(content_type.to_owned(), |it| format!("{content_type}; charset={it}"));
    let text = crate::world::charset::decode(bytes, &content_type);
    if text.trim().is_empty() && status == 204 {
        return Ok(Value::Null);
    }
    match xml::read(&text) {
        Ok(value) => Ok(disarmed(value)),
        Err(why) if (200..300).contains(&status) => Err(format!("is no XML: it {why}")),
        Err(_) => Ok(disarmed(Value::String(text))),
    }
}

/// The encoding that an XML document declares.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION_BYTES_MAX)]).into_owned();
    let declaration = head.strip_prefix("<?xml")?.split_once("?>")?.0.to_owned();
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name.to_owned())
}

fn says_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.ends_with("/json") || kind.ends_with("+json")
}

/// The headers, names in lower case, several of one name joined by `, `.
fn headers(given: &HeaderMap, shown: &Shown) -> Result<Map<String, Value>, Fault> {
    let size: usize = given.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > HEADERS_BYTES_MAX {
        return Err(too_large(shown, &format!("has more than {HEADERS_BYTES_MAX} bytes of headers")));
    }
    let names = given.keys().map(reqwest::header::HeaderName::as_str);
    Ok(names.map(|name| (name.to_owned(), disarmed(Value::String(text_of(given, name))))).collect())
}

fn text_of(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter();
    values.map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned()).collect::<Vec<_>>().join(", ")
}

/// An answer cannot hold the mark of a secret: were it saved and asked with, it would be opened.
fn disarmed(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(disarmed_text(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(disarmed).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(name, it)| (disarmed_text(name), disarmed(it))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn disarmed_text(text: String) -> String {
    let armed = text.contains([MARK_OPEN, MARK_CLOSE]);
    if armed { text.replace([MARK_OPEN, MARK_CLOSE], "\u{FFFD}") } else { text }
}

fn too_large(shown: &Shown, why: &str) -> Fault {
    Fault::lasting("response_too_large", format!("the answer of `{}` {why}", shown.place))
}

fn bad(shown: &Shown, status: u16, why: &str) -> Fault {
    let mut fault = Fault::lasting("bad_response", format!("the answer of `{}` {why}", shown.place));
    fault.status = Some(status);
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn auto(bytes: &[u8], content_type: &str, status: u16) -> Result<Value, String> {
        parse(bytes, content_type, Accept::Auto, status)
    }

    #[test]
    fn a_body_is_json_if_it_says_so_or_looks_so() {
        assert_eq!(auto(b"{\"a\":1}", "text/html", 200), Ok(json!({"a": 1})));
        assert_eq!(auto(b"12", "application/json", 200), Ok(json!(12)));
        assert_eq!(auto(b"12", "text/plain", 200), Ok(json!("12")));
        assert_eq!(auto(b"[draft]", "text/plain", 200), Ok(json!("[draft]")));
        assert_eq!(auto(b"", "application/problem+json; charset=utf-8", 200), Ok(json!(null)));
        assert_eq!(parse(b"{}", "application/json", Accept::Text, 200), Ok(json!("{}")));
        assert!(auto(b"<html>", "application/json", 200).is_err());
        assert!(parse(b"<html>", "text/html", Accept::Json, 200).is_err());
        assert!(parse(b"", "text/html", Accept::Json, 200).is_err());
        assert_eq!(parse(b"", "text/html", Accept::Json, 204), Ok(json!(null)));
        assert_eq!(parse(b"<html>", "text/html", Accept::Json, 502), Ok(json!("<html>")));
    }

    #[test]
    fn a_body_is_xml_or_bytes_if_that_was_asked_for() {
        let read = |bytes: &[u8], status| parse(bytes, "text/xml", Accept::Xml, status);
        assert_eq!(read(b"<a><b>1</b></a>", 200), Ok(json!({"a": {"b": "1"}})));
        assert_eq!(
            read(b"<?xml version='1.0' encoding='windows-1251'?><a>\xcf</a>", 200),
            Ok(json!({"a": "П"}))
        );
        assert_eq!(read(b"<html><br></html>", 502), Ok(json!("<html><br></html>")));
        assert_eq!(read(b"", 204), Ok(json!(null)));
        assert!(read(b"<a>", 200).unwrap_err().starts_with("is no XML: it ends before"));
        let armed = "<a>\u{fdd0}x\u{fdd1}</a>".as_bytes();
        assert_eq!(read(armed, 200), Ok(json!({"a": "\u{FFFD}x\u{FFFD}"})));
        let bytes = parse(b"\x00\xff{", "image/png", Accept::Binary, 200);
        assert_eq!(bytes, Ok(json!({"base64": "AP97", "type": "image/png", "size": 3})));
    }

    #[test]
    fn half_a_character_costs_no_answer() {
        for (text, value) in [
            (r#"{"a": "x\ud83d y", "t": 1}"#, "x\u{FFFD} y"),
            (r#"{"a": "\udE00", "t": 1}"#, "\u{FFFD}"),
            (r#"{"a": "\ud83d\ud83d\ude00\\ud83d\u00e9\"é", "t": 1}"#, "\u{FFFD}😀\\ud83dé\"é"),
        ] {
            let read = auto(text.as_bytes(), "application/json", 200).unwrap();
            assert_eq!((&read["a"], &read["t"]), (&json!(value), &json!(1)), "{text}");
        }
        for text in ["{\"a\": \"\\ud83", "{\"a\": \"\\", "\\é", "{\"a\": \"\\ud83d"] {
            assert!(auto(text.as_bytes(), "application/json", 200).is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_cannot_name_a_secret() {
        let body = br#"{"a\ufdd0": ["\ufdd0x\ufdd1"]}"#;
        assert_eq!(auto(body, "", 200), Ok(json!({"a\u{FFFD}": ["\u{FFFD}x\u{FFFD}"]})));
    }

    #[test]
    fn a_body_is_not_read_without_end_downwards() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(auto(deep.as_bytes(), "application/json", 200).is_err());
    }
}
