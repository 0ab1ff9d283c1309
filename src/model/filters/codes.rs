//! Filters that write and read what other programs do: JSON, URLs, base64, digests, dates.

use std::borrow::Cow;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::model::bridge::{BYTES_MAX, of_json, text_of, to_json, too_long};
use crate::model::budget::many;
use crate::model::carried::{bad_value, error};
use crate::model::costs::{Cost, draw};
use crate::model::filters::given::{Given, items, pairs};
use crate::model::filters::maps::pairs_of;
use crate::model::filters::spec::{FilterSpec, own};
use crate::model::helpers;
use crate::model::time::Span;

/// The filters.
#[rustfmt::skip]
pub(crate) static CODES: [FilterSpec; 11] = [
    FilterSpec { name: "json", also: &["tojson", "to_json"], takes: "", cost: Cost::Whole,
        run: own(|_, it| json(it)),
        about: "as JSON in one line, keys in their order",
        example: ("{\"a\": [1]}|json", r#""{\"a\":[1]}""#) },
    FilterSpec { name: "from_json", also: &["fromjson"], takes: "", cost: Cost::Whole,
        run: own(|_, it| from_json(it)),
        about: "what a text of JSON says", example: ("'{\"a\": [1]}'|from_json", r#"{"a":[1]}"#) },
    FilterSpec { name: "base64", also: &["b64encode", "base64_encode"], takes: "", cost: Cost::Whole,
        run: own(|_, it| base64(it)),
        about: "its bytes in base64", example: ("\"Riga\"|base64", r#""UmlnYQ==""#) },
    FilterSpec { name: "b64decode", also: &["base64_decode"], takes: "", cost: Cost::Whole,
        run: own(|_, it| helpers::unbase64(&it.text(0)?).map(Value::from).map_err(|it| bad_value(&it))),
        about: "the text that base64 says", example: ("\"UmlnYQ==\"|b64decode", r#""Riga""#) },
    FilterSpec { name: "urlencode", also: &[], takes: "", cost: Cost::Whole, run: own(|_, it| urlencode(it)),
        about: "as one piece of a URL; of a map or a list of pairs a query, lists repeat their key",
        example: ("{\"a b\": 1, \"c\": [2, 3]}|urlencode", r#""a%20b=1&c=2&c=3""#) },
    FilterSpec { name: "urldecode", also: &[], takes: "", cost: Cost::Whole,
        run: own(|_, it| helpers::urldecode(&it.text(0)?).map(Value::from).map_err(|it| bad_value(&it))),
        about: "what a piece of a URL says", example: ("\"a%20b\"|urldecode", r#""a b""#) },
    FilterSpec { name: "sha256", also: &[], takes: "form?", cost: Cost::Whole, run: own(|_, it| {
            helpers::sha256(&it.text(0)?, it.maybe(1)?.as_deref())
                .map(Value::from).map_err(|it| bad_value(&it)) }),
        about: "the SHA-256, in `hex`, `base64` or `base64url`",
        example: ("\"\"|sha256(\"base64\")", r#""47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=""#) },
    FilterSpec { name: "hash", also: &[], takes: "algorithm=\"sha1\", form?",
        cost: Cost::Whole, run: own(|_, it| {
            helpers::digest(&it.text(0)?, &it.text(1)?, it.maybe(2)?.as_deref())
                .map(Value::from).map_err(|it| bad_value(&it)) }),
        about: "the digest by `sha1`, `sha224`, `sha256`, `sha384` or `sha512`",
        example: ("\"\"|hash(\"sha1\")", r#""da39a3ee5e6b4b0d3255bfef95601890afd80709""#) },
    FilterSpec { name: "hmac", also: &[], takes: "key, form?", cost: Cost::Whole, run: own(|_, it| {
            helpers::hmac_in(&it.text(0)?, &it.text(1)?, it.maybe(2)?.as_deref())
                .map(Value::from).map_err(|it| bad_value(&it)) }),
        about: "the HMAC-SHA-256 under a key, in the same forms",
        example: ("\"a\"|hmac(\"k\", \"base64\")", r#""eNqRUR5nVYf1ud94vt669VYNoqu4gWLuh13N90SVHZ4=""#) },
    FilterSpec { name: "date", also: &[], takes: "format=\"%Y-%m-%d %H:%M:%S\", zone?", cost: Cost::Whole,
        run: own(|_, it| date(it)),
        about: "a moment (Unix seconds or RFC 3339) in the words of `strftime`, in UTC or that zone",
        example: ("0|date(\"%H:%M\", \"Europe/Riga\")", r#""03:00""#) },
    FilterSpec { name: "span", also: &[], takes: "", cost: Cost::One, run: own(|_, it| span(&it.text(0)?)),
        about: "a length of time in seconds", example: ("\"1h30m\"|span", "5400") },
];

fn json(it: Given) -> Result<Value, Error> {
    to_json(it.at(0)).map(|it| Value::from(it.to_string())).map_err(error)
}

fn from_json(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    // What is read is copied once more, with room for each value of it.
    draw(many(text.len()), many(text.len()).saturating_mul(16))?;
    let read: serde_json::Value = serde_json::from_str(&text)
        .map_err(|it| bad_value(&format!("that is no JSON: line {}, column {}", it.line(), it.column())))?;
    of_json(&read).map_err(error)
}

fn base64(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    draw(0, many(text.len()))?;
    Ok(Value::from(helpers::base64(&text)))
}

fn urlencode(it: Given) -> Result<Value, Error> {
    let value = it.at(0);
    let pairs = match value.kind() {
        ValueKind::Map => pairs(value)?,
        ValueKind::Seq | ValueKind::Iterable => pairs_of(value)?,
        _ => return Ok(Value::from(encoded(&it.text(0)?)?)),
    };
    let mut made = String::new();
    for (key, value) in pairs {
        let key = encoded(&text_of(&key)?)?;
        let values = match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => items(&value)?,
            ValueKind::None => {
                return Err(bad_value(&format!("`{key}` is null, and a query has none; hint: leave it out")));
            }
            ValueKind::Map => return Err(bad_value(&format!("`{key}` is a map, and a query has none"))),
            _ => vec![value],
        };
        for value in values {
            made.push_str(if made.is_empty() { "" } else { "&" });
            made.extend([&key, "=", &encoded(&text_of(&value)?)?]);
        }
        if made.len() > BYTES_MAX {
            return Err(too_long());
        }
    }
    Ok(Value::from(made))
}

fn encoded(text: &str) -> Result<String, Error> {
    draw(many(text.len() / 8), many(text.len()).saturating_mul(3))?;
    Ok(helpers::urlencode(text))
}

fn date(it: Given) -> Result<Value, Error> {
    let moment = to_json(it.at(0)).map_err(error)?;
    let format: Cow<'_, str> = it.text(1)?;
    let made = helpers::date(&moment, &format, it.maybe(2)?.as_deref());
    made.map(Value::from).map_err(|it| bad_value(&it))
}

/// A length of time, in seconds.
pub(crate) fn span(text: &str) -> Result<Value, Error> {
    let span: Span = text.parse().map_err(|it: String| bad_value(&it))?;
    match span.0 % 1_000 {
        0 => Ok(Value::from(span.0 / 1_000)),
        _ => Ok(Value::from(span.duration().as_secs_f64())),
    }
}
