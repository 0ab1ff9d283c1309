//! What a hook was sent, as a value: JSON, a form, XML or a query.

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use crate::model::charset::{NoText, decode, named, part};
use crate::model::{json, xml};
use crate::process::hook::Format;

/// The most fields of one form: more are no form.
const FIELDS_MAX: usize = 10_000;
/// What its sender can do about bytes that are no text.
const NAME_IT: &str = "hint: send UTF-8; a body can name its charset in the `Content-Type`, as \
                       `; charset=windows-1252`";
/// The field in which a form names its charset, as the HTML standard has it.
const CHARSET_FIELD: &[u8] = b"_charset_";
/// The deepest nesting of a form's names: `a[b][c]` is three.
const DEPTH_MAX: usize = 16;

/// Why a body is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableBody {
    /// The hook does not read such bodies.
    Kind(String),
    /// It is not what it says it is.
    Form(String),
}

/// Reads a body.
///
/// # Errors
/// Why it cannot be read; never with what it holds.
pub fn read(
    accept: &[Format],
    content_type: &str,
    body: &[u8],
    query: &str,
) -> Result<Value, UnreadableBody> {
    let media_type = kind(content_type);
    let text = || decode(body, content_type).map_err(|it| no_text("the body", &it));
    match format(accept, &media_type, body.is_empty())? {
        Format::Query => form(query.as_bytes(), ""),
        Format::Form if is_json(body) => Err(UnreadableBody::Kind(
            "the body is JSON and says that it is a form; hint: send `Content-Type: application/json`"
                .to_owned(),
        )),
        Format::Form => form(body, &named(content_type)),
        Format::Json => {
            let text = text()?;
            json::read(&text).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                UnreadableBody::Form(format!(
                    "the body is no JSON: something is wrong at line {line}, column {column}"
                ))
            })
        }
        Format::Xml => {
            let text = text()?;
            xml::read(&text)
                .map_err(|_| UnreadableBody::Form("the body is no XML that is read here".to_owned()))
        }
    }
}

/// Why something is no text, and what to do about it.
fn no_text(what: &str, why: &NoText) -> UnreadableBody {
    match why {
        NoText::Unknown(_) => UnreadableBody::Kind(format!("{what} {why}")),
        NoText::Invalid { .. } => UnreadableBody::Form(format!("{what} {why}; {NAME_IT}")),
    }
}

/// Whether what is read so knows nothing but texts: all bodies but JSON.
pub fn is_of_texts(accept: &[Format], content_type: &str, body: &[u8]) -> bool {
    format(accept, &kind(content_type), body.is_empty()).is_ok_and(|it| it != Format::Json)
}

/// The kind that a content type says, in lower case.
fn kind(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What a media type says a body is.
fn said(media_type: &str) -> Option<Format> {
    match media_type {
        "application/x-www-form-urlencoded" => Some(Format::Form),
        "application/json" | "text/json" => Some(Format::Json),
        "application/xml" | "text/xml" => Some(Format::Xml),
        other if other.ends_with("+json") => Some(Format::Json),
        other if other.ends_with("+xml") => Some(Format::Xml),
        _ => None,
    }
}

/// How a body is to be read. What it says of itself holds, if the hook takes that; a hook that reads one kind
/// of body alone reads so whatever says nothing.
fn format(accept: &[Format], media_type: &str, empty: bool) -> Result<Format, UnreadableBody> {
    let takes = |it: Format| accept.is_empty() || accept.contains(&it);
    match (said(media_type), accept) {
        (_, [Format::Query]) => Ok(Format::Query),
        (Some(format), _) if takes(format) && !empty => Ok(format),
        (None, [only]) if !empty => Ok(*only),
        _ if empty && takes(Format::Query) => Ok(Format::Query),
        (None, _) if media_type.is_empty() => Err(UnreadableBody::Kind(
            "the body does not say what it is; hint: send a `Content-Type`".to_owned(),
        )),
        _ => Err(UnreadableBody::Kind("the hook does not read bodies of that `Content-Type`".to_owned())),
    }
}

/// Whether it is an object or a list: no form begins so and ends so.
fn is_json(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// The fields of a form in that charset, nested as their names are: `auth[token]=x` is
/// `{"auth": {"token": "x"}}`, `a[]=1` and a name that comes again make lists.
///
/// # Errors
/// Why it is none.
pub fn form(text: &[u8], charset: &str) -> Result<Value, UnreadableBody> {
    let mut whole = Map::new();
    for (name, value) in fields(text, charset)? {
        let path = path(&name);
        if path.len() > DEPTH_MAX {
            return Err(UnreadableBody::Form(format!("the form is nested deeper than {DEPTH_MAX} levels")));
        }
        put(&mut whole, &path, value, false).map_err(|()| {
            UnreadableBody::Form("the form has one name for a value and for what holds others".to_owned())
        })?;
    }
    Ok(Value::Object(whole.into_iter().map(|(name, it)| (name, listed(it))).collect()))
}

/// The names and values of a form, as they come.
///
/// # Errors
/// Why it is none.
pub fn fields(text: &[u8], charset: &str) -> Result<Vec<(String, String)>, UnreadableBody> {
    let pairs: Vec<&[u8]> = text.split(|byte| *byte == b'&').filter(|it| !it.is_empty()).collect();
    if pairs.len() > FIELDS_MAX {
        return Err(UnreadableBody::Form(format!("the form has more than {FIELDS_MAX} fields")));
    }
    let pairs: Vec<(&[u8], &[u8])> = pairs.into_iter().map(halves).collect();
    let own = pairs.iter().find(|(name, _)| *name == CHARSET_FIELD && charset.is_empty());
    let own = own.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    let charset = own.as_deref().unwrap_or(charset);
    let read = |(name, value): &(&[u8], &[u8])| {
        let name = field(name, charset).map_err(|why| no_text("the name of a field", &why))?;
        let value = field(value, charset);
        let value = value.map_err(|why| no_text(&format!("the field `{}`", name.escape_debug()), &why))?;
        Ok((name, value))
    };
    pairs.iter().map(read).collect()
}

/// A field's name, and its value.
fn halves(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &pair[..0]),
    }
}

/// A name or a value: what is percent-encoded are bytes of the charset.
fn field(text: &[u8], charset: &str) -> Result<String, NoText> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Vec<u8> = percent_decode(&spaced).collect();
    part(&bytes, charset)
}

/// The parts of a name. One that is not well formed is a name as it is.
fn path(name: &str) -> Vec<&str> {
    let Some((first, rest)) = name.split_once('[').filter(|(first, _)| !first.is_empty()) else {
        return vec![name];
    };
    match rest.strip_suffix(']') {
        Some(inner) => {
            let inner: Vec<&str> = inner.split("][").collect();
            match inner.iter().any(|part| part.contains(['[', ']'])) {
                true => vec![name],
                false => std::iter::once(first).chain(inner).collect(),
            }
        }
        None => vec![name],
    }
}

fn put(into: &mut Map<String, Value>, path: &[&str], value: String, is_inner: bool) -> Result<(), ()> {
    let Some((first, rest)) = path.split_first() else { return Ok(()) };
    // `a[]` is the next of a list.
    let name = if first.is_empty() && is_inner { into.len().to_string() } else { (*first).to_owned() };
    match (into.get_mut(&name), rest.is_empty()) {
        (None, true) => drop(into.insert(name, Value::String(value))),
        (None, false) => {
            let mut inner = Map::new();
            put(&mut inner, rest, value, true)?;
            into.insert(name, Value::Object(inner));
        }
        (Some(Value::Object(inner)), false) => put(inner, rest, value, true)?,
        (Some(Value::Array(items)), true) => items.push(Value::String(value)),
        (Some(there @ Value::String(_)), true) => {
            *there = Value::Array(vec![there.take(), Value::String(value)]);
        }
        (Some(_), _) => return Err(()),
    }
    Ok(())
}

/// What is numbered from 0 in order is a list.
fn listed(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let numbered = map.keys().enumerate().all(|(at, name)| *name == at.to_string());
    match numbered && !map.is_empty() {
        true => Value::Array(map.into_iter().map(|(_, it)| listed(it)).collect()),
        false => Value::Object(map.into_iter().map(|(name, it)| (name, listed(it))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_nested_as_its_names_are() {
        for (text, value) in [
            ("", json!({})),
            ("a=1&b=x+y%21", json!({"a": "1", "b": "x y!"})),
            ("event=ONAPPINSTALL&auth[access_token]=t&auth[scope]=crm", {
                json!({"event": "ONAPPINSTALL", "auth": {"access_token": "t", "scope": "crm"}})
            }),
            ("auth%5Baccess_token%5D=t", json!({"auth": {"access_token": "t"}})),
            ("data[FIELDS][ID]=7", json!({"data": {"FIELDS": {"ID": "7"}}})),
            ("a[]=1&a[]=2", json!({"a": ["1", "2"]})),
            ("a[0]=1&a[1][b]=2", json!({"a": ["1", {"b": "2"}]})),
            ("a[1]=1&a[0]=2", json!({"a": {"1": "1", "0": "2"}})),
            ("a=1&a=2&a=3", json!({"a": ["1", "2", "3"]})),
            ("a[b=1&[c]=2&a]=3&d[e]f=4", json!({"a[b": "1", "[c]": "2", "a]": "3", "d[e]f": "4"})),
            ("0=a&1=b", json!({"0": "a", "1": "b"})),
        ] {
            assert_eq!(form(text.as_bytes(), ""), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_body_is_read_by_its_charset_and_loses_nothing() {
        let (form, json) = ("application/x-www-form-urlencoded", "application/json");
        for (kind, body, value) in [
            (json, &b"\xef\xbb\xbf{\"a\": 1}"[..], json!({"a": 1})),
            ("application/json; charset=windows-1251", b"{\"a\": \"\xcf\"}", json!({"a": "П"})),
            (json, b"[123456789012345678901234567890, 1]", json!(["123456789012345678901234567890", 1])),
            (json, b"[\"x\\ud83d\"]", json!(["x\u{fffd}"])),
            ("application/x-www-form-urlencoded; charset=windows-1251", b"a=%CF%F0&b=\xe8+x", {
                json!({"a": "Пр", "b": "и x"})
            }),
            (form, b"a=%D0%9F&b", json!({"a": "П", "b": ""})),
            (form, b"{a}=1", json!({"{a}": "1"})),
            (form, b"a=1&=5", json!({"a": "1", "": "5"})),
            ("text/xml", b"<?xml version='1.0' encoding='windows-1251'?><a>\xcf</a>", json!({"a": "П"})),
            ("text/xml; charset=windows-1251", b"<a>\xcf</a>", json!({"a": "П"})),
        ] {
            assert_eq!(read(&[], kind, body, ""), Ok(value), "{kind}");
        }
        let own = read(&[], form, b"a=%CF&_charset_=windows-1251", "");
        assert_eq!(own, Ok(json!({"a": "П", "_charset_": "windows-1251"})));
        for (kind, body, query, told) in [
            (json, &b"{\"a\":\"caf\xe9\"}"[..], "", "the body is no text in UTF-8: the byte at offset 9 is"),
            (form, b"b=1&a=caf%E9", "", "the field `a` is no text in UTF-8: the byte at offset 3 is none"),
            (form, b"a=1&%E9=1", "", "the name of a field is no text in UTF-8: the byte at offset 0 is"),
            (
                "",
                b"",
                "a=caf%E9",
                "the field `a` is no text in UTF-8: the byte at offset 3 is none in it; hint",
            ),
        ] {
            let Err(UnreadableBody::Form(why)) = read(&[], kind, body, query) else { panic!("{kind}") };
            assert!(why.starts_with(told) && why.contains("charset=windows-1252"), "{why}");
        }
        let unknown = read(&[], "application/json; charset=klingon-8", b"\"\xe9\"", "");
        assert!(matches!(unknown, Err(UnreadableBody::Kind(why)) if why.contains("`klingon-8`")));
        let curl = read(&[], form, b" {\"a\": 1}\n", "");
        assert!(matches!(curl, Err(UnreadableBody::Kind(why)) if why.contains("application/json")));
    }

    #[test]
    fn a_form_has_limits() {
        for text in ["a=1&a[b]=2".to_owned(), "a[b]=2&a=1".to_owned(), format!("a{}=1", "[b]".repeat(16)), {
            "a=1&".repeat(FIELDS_MAX + 1)
        }] {
            assert!(matches!(form(text.as_bytes(), ""), Err(UnreadableBody::Form(_))), "{}", &text[..9]);
        }
        assert!(form(format!("a{}=1", "[b]".repeat(15)).as_bytes(), "").is_ok());
    }

    /// What a hook takes, what comes, and what is read.
    type Case<'a> = (&'a [Format], &'a str, &'a str, &'a str, Option<Value>);

    #[test]
    fn a_body_is_read_as_it_says_and_as_the_hook_takes() {
        use Format::{Form, Json, Query, Xml};
        let (form, json) = ("application/x-www-form-urlencoded", "application/json");
        let order = || Some(json!({"order": {"@id": "7", "item": ["a", "b"]}}));
        let document = "<order id='7'><item>a</item><item>b</item></order>";
        let cases: [Case; 16] = [
            (&[], "application/xml", document, "", order()),
            (&[], "application/soap+xml", document, "", order()),
            (&[Xml], "text/plain", document, "", order()),
            (
                &[Xml],
                "text/xml",
                "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
                "",
                None,
            ),
            (&[], json, "{\"a\": 1}", "", Some(json!({"a": 1}))),
            (&[], "application/vnd.shop+json", "[1]", "", Some(json!([1]))),
            (&[], form, "a=1", "b=2", Some(json!({"a": "1"}))),
            (&[], "", "", "b=2", Some(json!({"b": "2"}))),
            (&[Query], "", "", "b[c]=2", Some(json!({"b": {"c": "2"}}))),
            (&[Query], json, "{}", "b=2", Some(json!({"b": "2"}))),
            (&[Json], "text/plain", "{}", "", Some(json!({}))),
            (&[Json, Form], form, "a=1", "", Some(json!({"a": "1"}))),
            (&[Json], form, "a=1", "", None),
            (&[], "text/plain", "{}", "", None),
            (&[], "", "{}", "", None),
            (&[Json], json, "", "", None),
        ];
        for (accept, kind, body, query, wanted) in cases {
            assert_eq!(read(accept, kind, body.as_bytes(), query).ok(), wanted, "{accept:?} {kind} {body}");
        }
        let bad = read(&[], json, b"{\"password\": \"hunter2", "");
        assert_eq!(bad.clone().is_err(), !format!("{bad:?}").contains("hunter2"));
    }
}
