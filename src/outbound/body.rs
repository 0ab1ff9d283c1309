//! Reads the body of an answer: never more than was asked for, never deeper than can be walked, text by its
//! charset.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value, json};

use crate::model::charset::{NoText, decode, legible};
use crate::model::charset_name::Charset;
use crate::model::effect::{BodyFormat, HttpAnswer, HttpRequest, MARK_CLOSE, MARK_OPEN};
use crate::model::fault::Fault;
use crate::model::time::Span;
use crate::model::unpack::{Packed, unpacked};
use crate::model::{json, xml};
use crate::outbound::deadline::within;
use crate::outbound::request::Shown;
use crate::outbound::{errors, token_answer};

/// The most bytes of headers that are taken: servers send one or two kilobytes.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// So long a body is waited for that nobody looks at, so that its connection can be used again.
const UNREAD_TIMEOUT: Span = Span::secs(2);
/// So long before the end of a request its body is given up if what came of it is kept.
const KEEPING: Span = Span::millis(300);
/// As much room as is made for a body before it is there.
const ROOM_BYTES_MAX: u64 = 64 * 1024;

/// How long is left for an answer, and how long its request was given.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From now on.
    pub left: Span,
    /// In all.
    pub timeout: Span,
}

/// The whole answer, its body read as `ask` says. Where nobody looks at the body, nothing is bad with it, and
/// it is waited for no longer than half of what is left. Where `ask` keeps what cannot be read, what came of
/// a body is given with the fault.
///
/// # Errors
/// `response_too_large`, `bad_response`, and all that a connection can do.
pub async fn read(
    mut response: Response,
    ask: &HttpRequest,
    patience: Patience,
    shown: &Shown,
) -> Result<HttpAnswer, Fault> {
    let status = response.status().as_u16();
    let headers = headers(response.headers(), shown)?;
    match body(&mut response, ask, patience, shown).await {
        Ok(body) => Ok(HttpAnswer { status, headers, body, broken: None }),
        Err(Unread { fault, came: Some(came) }) if ask.keeps_unread && claims(status) => Ok(HttpAnswer {
            status,
            headers,
            body: disarmed(Value::String(came)),
            broken: Some(fault.into()),
        }),
        Err(Unread { fault, .. }) => Err(fault),
    }
}

/// A body that is not what it should be, and what came of it.
struct Unread {
    fault: Fault,
    came: Option<String>,
}

async fn body(
    response: &mut Response,
    ask: &HttpRequest,
    patience: Patience,
    shown: &Shown,
) -> Result<Value, Unread> {
    let (status, bytes_max) = (response.status().as_u16(), ask.bytes_max);
    let said = text_of(response.headers(), CONTENT_TYPE.as_str());
    let content_type = Charset::of(ask.charset, &said);
    let encoding = text_of(response.headers(), CONTENT_ENCODING.as_str());
    let nobody_looks = ask.unread && claims(status);
    let mut bytes = Vec::new();
    let end = end_of(response, ask, patience, &mut bytes).await;
    let unread = |fault: Fault, bytes: &[u8]| Unread {
        fault,
        came: (!bytes.is_empty()).then(|| as_it_came(bytes, &content_type, &encoding)),
    };
    match end {
        End::Whole => {}
        // The status has said it: a task must not ask again for want of what nobody wanted.
        End::Cut | End::TooMuch | End::Late if nobody_looks => return Ok(Value::Null),
        End::TooMuch => return Err(unread(larger(shown, bytes_max), &bytes)),
        End::Late => return Err(unread(errors::late(patience.timeout, shown), &bytes)),
        // Some servers count wrongly; JSON says by itself where it ends.
        End::Cut if encoding.is_empty() && is_document(&bytes) => {}
        End::Cut => return Err(unread(errors::in_body(shown), &bytes)),
    }
    let bytes = match unpacked(Cow::Borrowed(&bytes), &encoding, bytes_max) {
        Ok(bytes) => bytes,
        Err(_) if nobody_looks => return Ok(Value::Null),
        Err(Packed::TooLarge) => return Err(unread(larger(shown, bytes_max), &bytes)),
        Err(Packed::Broken) => return Err(unread(bad(shown, status, "cannot be decompressed"), &bytes)),
        Err(Packed::Unknown(packer)) => {
            let hint = "hint: ask with `headers: {Accept-Encoding: identity}`";
            let why = format!("is packed by `{packer}`, which is not undone here; {hint}");
            return Err(unread(bad(shown, status, &why), &bytes));
        }
    };
    let how = Body {
        content_type: &content_type,
        accept: ask.accept,
        is_read: !nobody_looks,
        status,
        of_tokens: ask.oauth_hosts_only,
    };
    how.parse(&bytes).map_err(|why| {
        let came = Some(legible(&bytes, &content_type));
        Unread { fault: bad(shown, status, &why), came }
    })
}

/// For a person: what is packed stays so, for half of it cannot be undone here.
fn as_it_came(bytes: &[u8], content_type: &str, encoding: &str) -> String {
    match encoding {
        "" | "identity" => legible(bytes, content_type),
        encoding => format!("base64 of {encoding}: {}", BASE64_STANDARD.encode(bytes)),
    }
}

/// Whether an answer of that status says that all went well.
fn claims(status: u16) -> bool {
    (200..300).contains(&status)
}

/// How a body ended.
enum End {
    Whole,
    /// The connection was closed before the end that was said.
    Cut,
    TooMuch,
    /// It had not ended in time.
    Late,
}

/// Waits for the body, and puts what comes of it into `bytes`.
async fn end_of(response: &mut Response, ask: &HttpRequest, patience: Patience, bytes: &mut Vec<u8>) -> End {
    let left = patience.left;
    let time = match (ask.unread && claims(response.status().as_u16()), ask.keeps_unread) {
        (true, _) => Some(Span(left.0 / 2).min(UNREAD_TIMEOUT)),
        // Earlier than the end of the request, which would take with it what came.
        (false, true) => Some(Span(left.0.saturating_sub(KEEPING.0))),
        (false, false) => None,
    };
    let coming = bytes_of(response, ask.bytes_max, bytes);
    match time {
        Some(time) => within(time, coming).await.unwrap_or(End::Late),
        None => coming.await,
    }
}

async fn bytes_of(response: &mut Response, bytes_max: u64, bytes: &mut Vec<u8>) -> End {
    let room = response.content_length().unwrap_or(0).min(ROOM_BYTES_MAX).min(bytes_max);
    bytes.reserve(usize::try_from(room).unwrap_or(0));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = usize::try_from(bytes_max).unwrap_or(usize::MAX) - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return End::TooMuch;
                }
            }
            Ok(None) => return End::Whole,
            Err(_) => return End::Cut,
        }
    }
}

/// Whether it is an object or a list of JSON from its beginning to its end.
fn is_document(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
    text.starts_with(['{', '[']) && json::read::<serde::de::IgnoredAny>(text).is_ok()
}

/// How a body is to be read.
#[derive(Clone, Copy)]
struct Body<'a> {
    content_type: &'a str,
    accept: BodyFormat,
    /// Somebody looks at it.
    is_read: bool,
    status: u16,
    /// It is a token server's.
    of_tokens: bool,
}

impl Body<'_> {
    /// The body as JSON or text. Only an answer that claims success and is looked at must be what was asked
    /// for: an error page of a proxy is an answer too.
    fn parse(self, bytes: &[u8]) -> Result<Value, String> {
        let named = says_json(self.content_type);
        match self.accept {
            BodyFormat::Binary => return Ok(binary(bytes, self.content_type)),
            BodyFormat::Xml => return self.document(bytes),
            BodyFormat::Json | BodyFormat::Text | BodyFormat::Auto => {}
        }
        let text = self.text(bytes)?;
        let head = text.trim_start();
        let wanted = match self.accept {
            BodyFormat::Auto => named || head.starts_with(['{', '[']),
            BodyFormat::Json => true,
            BodyFormat::Text | BodyFormat::Binary | BodyFormat::Xml => false,
        };
        if head.is_empty() && (self.accept == BodyFormat::Auto || self.status == 204) {
            return Ok(if named || self.status == 204 { Value::Null } else { Value::String(text) });
        }
        let is_loose = self.of_tokens && self.accept != BodyFormat::Text;
        let meant = || if is_loose { token_answer::read(&text) } else { None };
        if !wanted {
            return Ok(disarmed(meant().unwrap_or(Value::String(text))));
        }
        match json::read(&text).or_else(|why| meant().ok_or(why)) {
            Ok(value) => Ok(disarmed(value)),
            Err(why) if self.must() && (named || self.accept == BodyFormat::Json) => {
                Err(format!("is no JSON: {why}"))
            }
            Err(_) => Ok(disarmed(Value::String(text))),
        }
    }

    /// Whether it must be what it says.
    fn must(self) -> bool {
        self.is_read && (200..300).contains(&self.status)
    }

    fn text(self, bytes: &[u8]) -> Result<String, String> {
        match decode(bytes, self.content_type) {
            Ok(text) => Ok(text),
            Err(why) if self.must() => Err(disarmed_text(no_text(&why, self.content_type))),
            Err(_) => Ok(legible(bytes, self.content_type)),
        }
    }

    /// XML as a value.
    fn document(self, bytes: &[u8]) -> Result<Value, String> {
        let text = self.text(bytes)?;
        if text.trim().is_empty() && self.status == 204 {
            return Ok(Value::Null);
        }
        match xml::read(&text) {
            Ok(value) => Ok(disarmed(value)),
            Err(why) if self.must() => Err(format!("is no XML: it {why}")),
            Err(_) => Ok(disarmed(Value::String(text))),
        }
    }
}

/// Why an answer is no text, and what to do about it.
fn no_text(why: &NoText, content_type: &str) -> String {
    const BINARY: &str = "`accept: binary` takes its bytes";
    match (why, kind_of(content_type)) {
        (NoText::Invalid { .. }, kind) if is_binary(&kind) => {
            format!("is `{kind}`, which is no text; hint: {BINARY}")
        }
        (NoText::Invalid { .. } | NoText::Unknown(_), _) => {
            format!("{why}; hint: `charset` names the one that it is in, and {BINARY}")
        }
    }
}

/// Whether what is of that kind is bytes and no text.
fn is_binary(kind: &str) -> bool {
    let is_text = ["json", "xml", "javascript", "ecmascript", "yaml", "urlencoded", "csv", "sql", "graphql"];
    match kind.split_once('/') {
        Some(("application", kind)) => !is_text.iter().any(|it| kind.ends_with(it)),
        Some(("image" | "audio" | "video" | "font", kind)) => !kind.ends_with("xml"),
        _ => false,
    }
}

/// Bytes, as JSON can hold them.
fn binary(bytes: &[u8], content_type: &str) -> Value {
    json!({"base64": BASE64_STANDARD.encode(bytes), "type": content_type, "size": bytes.len()})
}

/// The kind that a content type says, in lower case: `application/json`.
fn kind_of(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn says_json(content_type: &str) -> bool {
    let kind = kind_of(content_type);
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

fn larger(shown: &Shown, bytes_max: u64) -> Fault {
    too_large(shown, &format!("is larger than {bytes_max} bytes; hint: see `max_bytes`"))
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

    fn parse(bytes: &[u8], content_type: &str, accept: BodyFormat, status: u16) -> Result<Value, String> {
        Body { content_type, accept, is_read: true, status, of_tokens: false }.parse(bytes)
    }

    fn auto(bytes: &[u8], content_type: &str, status: u16) -> Result<Value, String> {
        parse(bytes, content_type, BodyFormat::Auto, status)
    }

    #[test]
    fn what_nobody_looks_at_is_not_judged() {
        for (body, content_type) in [
            (&b"OK"[..], "application/json"),
            (b"{\"mean\": nan}", "application/json"),
            (b"{\"a\":", "application/json"),
            (b"caf\xe9", "text/plain; charset=klingon-8"),
        ] {
            assert!(auto(body, content_type, 200).is_err());
            let accept = BodyFormat::Auto;
            let unread = Body { content_type, accept, is_read: false, status: 201, of_tokens: false };
            assert!(matches!(unread.parse(body), Ok(Value::String(_))), "{content_type}");
        }
    }

    #[test]
    fn a_charset_that_nobody_knows_is_named() {
        let why = auto(b"caf\xe9", "text/plain; charset=klingon-8", 200).unwrap_err();
        assert!(why.contains("`klingon-8`"), "{why}");
        assert_eq!(auto(b"caf\xe9", "text/plain; charset=iso-8859-15", 200), Ok(json!("café")));
        assert_eq!(
            parse(b"\xff\x00", "text/plain; charset=klingon-8", BodyFormat::Binary, 200).unwrap()["size"],
            2
        );
        assert_eq!(auto(b"no", "text/plain; charset=klingon-8", 502), Ok(json!("no")));
    }

    #[test]
    fn what_is_no_text_is_told_and_not_changed() {
        let told = |bytes: &[u8], content_type: &str| auto(bytes, content_type, 200).unwrap_err();
        let json = told(b"{\"n\":\"caf\xe9\"}", "application/json");
        assert!(
            json.contains("no text in UTF-8: the byte at offset 9") && json.contains("charset"),
            "{json}"
        );
        let pdf = told(b"%PDF-1.4\xff\xfe\x00", "Application/PDF");
        assert!(pdf.contains("`application/pdf`, which is no text; hint: `accept: binary`"), "{pdf}");
        assert!(told(b"\xff\xd8\xff", "image/jpeg").contains("`image/jpeg`"));
        assert!(told(b"a\xff", "image/svg+xml").contains("offset 1"));
        assert_eq!(auto(b"caf\xe9", "text/plain", 502), Ok(json!("caf\u{fffd}")), "a proxy's page");
        let xml = "<?xml version='1.0' encoding='windows-1251'?><a>\u{cf}</a>";
        let bytes: Vec<u8> = xml.chars().map(|it| u8::try_from(u32::from(it)).unwrap()).collect();
        assert!(auto(&bytes, "application/xml", 200).unwrap().as_str().unwrap().ends_with("<a>П</a>"));
    }

    #[test]
    fn a_body_is_json_if_it_says_so_or_looks_so() {
        assert_eq!(auto(b"{\"a\":1}", "text/html", 200), Ok(json!({"a": 1})));
        assert_eq!(auto(b"12", "application/json", 200), Ok(json!(12)));
        assert_eq!(auto(b"12", "text/plain", 200), Ok(json!("12")));
        assert_eq!(auto(b"[draft]", "text/plain", 200), Ok(json!("[draft]")));
        assert_eq!(auto(b"", "application/problem+json; charset=utf-8", 200), Ok(json!(null)));
        assert_eq!(parse(b"{}", "application/json", BodyFormat::Text, 200), Ok(json!("{}")));
        assert!(auto(b"<html>", "application/json", 200).is_err());
        assert!(parse(b"<html>", "text/html", BodyFormat::Json, 200).is_err());
        assert!(parse(b"", "text/html", BodyFormat::Json, 200).is_err());
        assert_eq!(parse(b"", "text/html", BodyFormat::Json, 204), Ok(json!(null)));
        assert_eq!(parse(b"<html>", "text/html", BodyFormat::Json, 502), Ok(json!("<html>")));
    }

    #[test]
    fn a_body_is_xml_or_bytes_if_that_was_asked_for() {
        let read = |bytes: &[u8], status| parse(bytes, "text/xml", BodyFormat::Xml, status);
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
        let bytes = parse(b"\x00\xff{", "image/png", BodyFormat::Binary, 200);
        assert_eq!(bytes, Ok(json!({"base64": "AP97", "type": "image/png", "size": 3})));
    }

    #[test]
    fn an_answer_cannot_name_a_secret() {
        let body = br#"{"a\ufdd0": ["\ufdd0x\ufdd1"]}"#;
        assert_eq!(auto(body, "", 200), Ok(json!({"a\u{FFFD}": ["\u{FFFD}x\u{FFFD}"]})));
    }

    #[test]
    fn a_pair_is_not_lost_for_want_of_form() {
        let kind = "application/x-www-form-urlencoded";
        let of = |of_tokens| Body {
            content_type: kind,
            accept: BodyFormat::Auto,
            is_read: true,
            status: 200,
            of_tokens,
        };
        assert_eq!(of(true).parse(b"access_token=A"), Ok(json!({"access_token": "A"})));
        assert_eq!(of(false).parse(b"access_token=A"), Ok(json!("access_token=A")));
        let warned = Body { content_type: "application/json", ..of(true) };
        assert_eq!(warned.parse(b"Notice: x\n{\"access_token\": \"A\"}"), Ok(json!({"access_token": "A"})));
        assert!(warned.parse(b"Notice: x").is_err());
    }

    #[test]
    fn a_body_is_not_read_without_end_downwards() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(auto(deep.as_bytes(), "application/json", 200).is_err());
    }
}
