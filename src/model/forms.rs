//! The forms in which a secret can show up in a text, and how it is taken out of one.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::model::marks::MASK;

/// What is left as it is in a part of a URL. The colon is among it: Telegram's tokens have one.
pub const PART: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// The shortest form that is looked for in texts: shorter ones would garble every message.
pub const FORM_CHARS_MIN: usize = 4;
/// Secrets of any length.
pub const ANY: RangeInclusive<usize> = FORM_CHARS_MIN..=usize::MAX;
/// The fewest digits of a number that is looked for.
pub const DIGITS_MIN: usize = 6;
/// A shorter secret is not looked for in Base64 or in hex: a few letters of those stand anywhere.
const ENCODED_BYTES_MIN: usize = 8;

/// The ways in which a secret can show up in a text: as it is, encoded for a URL, a form or JSON, in Base64
/// wherever it begins in what was encoded, in hex, in lower case or in capitals. The longest first, so that
/// none is cut in two by another.
pub fn forms(secret: &str) -> Vec<Zeroizing<String>> {
    let json = Value::from(secret).to_string();
    let mut forms = vec![
        secret.to_owned(),
        secret.trim().to_owned(),
        utf8_percent_encode(secret, PART).to_string(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        json[1..json.len() - 1].to_owned(),
    ];
    // Codes of faults are words in lower case, whatever they were made of.
    forms.extend(forms.iter().flat_map(|it| [it.to_lowercase(), it.to_uppercase()]).collect::<Vec<_>>());
    if secret.len() >= ENCODED_BYTES_MIN {
        let hex: String = secret.bytes().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect();
        forms.extend([hex.to_uppercase(), hex]);
        forms.extend((0..3).flat_map(|before| {
            let piece = base64_piece(secret.as_bytes(), before);
            [piece.replace('+', "-").replace('/', "_"), piece]
        }));
    }
    forms.sort_by(|one, other| (other.len(), other).cmp(&(one.len(), one)));
    forms.dedup();
    forms.into_iter().map(Zeroizing::new).collect()
}

/// A hexadecimal digit.
fn digit(of: u8) -> char {
    char::from_digit(of.into(), 16).unwrap_or_default()
}

/// What of the Base64 of a text is made by `secret` alone, if so many bytes (modulo 3) stand before it.
fn base64_piece(secret: &[u8], before: usize) -> String {
    let whole = BASE64.encode([&[0; 2][..before], secret].concat());
    // A character has 6 bits: those that the bytes before and behind have a part in are left out.
    let from = (before * 8).div_ceil(6);
    let to = (before + secret.len()) * 8 / 6;
    whole[from..to].to_owned()
}

/// The forms of all texts in `values`, the longest first. Short ones are left out: they stand anywhere.
pub fn forms_of(values: &[Value]) -> Vec<Zeroizing<String>> {
    let mut all = Vec::new();
    for value in values {
        note(value, &ANY, &mut all);
    }
    all.sort_by(|one, other| (other.len(), other.as_str()).cmp(&(one.len(), one.as_str())));
    all.dedup();
    all
}

/// Notes the forms of all texts in `value` that have so many characters, and of its numbers.
///
/// No form has fewer characters than its secret: a text of so many characters can say back only a secret that
/// has no more. Making forms costs far more than counting.
pub fn note(value: &Value, chars: &RangeInclusive<usize>, all: &mut Vec<Zeroizing<String>>) {
    match value {
        Value::String(secret) => {
            let has = secret.chars().count() >= *chars.start();
            if has && secret.trim().chars().count() <= *chars.end() {
                all.extend(forms(secret).into_iter().filter(|it| it.chars().count() >= FORM_CHARS_MIN));
            }
        }
        Value::Number(number) => {
            let text = number.to_string();
            if text.bytes().filter(u8::is_ascii_digit).count() >= DIGITS_MIN && text.len() <= *chars.end() {
                all.extend(forms(&text));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| note(item, chars, all)),
        Value::Object(map) => map.values().for_each(|item| note(item, chars, all)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The bytes of the longest name, text or number in `value`: it has no more characters.
pub fn longest(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::String(text) => text.len(),
        Value::Number(number) => number.to_string().len(),
        Value::Array(items) => items.iter().map(longest).max().unwrap_or_default(),
        Value::Object(map) => {
            map.iter().map(|(key, it)| key.len().max(longest(it))).max().unwrap_or_default()
        }
    }
}

/// `text` with `***` wherever one of `forms` stands.
pub fn without(text: &str, forms: &[Zeroizing<String>]) -> String {
    forms.iter().fold(text.to_owned(), |text, form| {
        if text.contains(form.as_str()) { text.replace(form.as_str(), MASK) } else { text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_in_every_form() {
        let secret = "Über+die/\"7\" Berge";
        for said in
            [secret, "%C3%9Cber%2Bdie%2F%227%22+Berge", "über+die/\"7\" berge", "Über+die/\\\"7\\\" Berge"]
        {
            assert_eq!(without(&format!("<{said}>"), &forms(secret)), "<***>", "{said}");
        }
        assert_eq!(without("die Berge", &forms(secret)), "die Berge");
    }

    #[test]
    fn a_secret_is_taken_out_of_what_was_made_of_it() {
        let secret = "n5-Qk?y>z~b-7";
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "x", "xy"] {
                let encoded = BASE64.encode(format!("{before}{secret}{after}"));
                for said in [encoded.replace('+', "-").replace('/', "_"), encoded] {
                    let left = without(&said, &forms(secret));
                    assert!(left.contains(MASK) && left.len() <= MASK.len() + 12, "{said}: {left}");
                }
            }
        }
        for said in ["6e352d516b3f793e7a7e622d37", "6E352D516B3F793E7A7E622D37", "N5-QK?Y>Z~B-7"] {
            assert_eq!(without(said, &forms(secret)), MASK, "{said}");
        }
    }
}
