//! A text taken apart at the marks of secrets in it. What is between them may be encoded; they must not be.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::model::effect::{MARK_CLOSE, MARK_OPEN, mark};
use crate::model::marks::MASK;

/// What is left as it is in a part of a URL. The colon is among it: Telegram's tokens have one.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text as it is.
    Plain(&'a str),
    /// The name of a secret.
    Secret(&'a str),
}

/// Whether there is a mark in `text`.
pub fn marked(text: &str) -> bool {
    text.contains(MARK_OPEN)
}

/// The pieces of `text`, in order. A mark that does not close is text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(MARK_OPEN) {
        let Some((name, behind)) = after.split_once(MARK_CLOSE) else { break };
        if !before.is_empty() {
            pieces.push(Piece::Plain(before));
        }
        pieces.push(Piece::Secret(name));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

/// `text` for people: `***` where a secret would be.
pub fn masked(text: &str) -> Cow<'_, str> {
    if !marked(text) {
        return Cow::Borrowed(text);
    }
    let shown = pieces(text).into_iter().map(|piece| match piece {
        Piece::Plain(text) => text,
        Piece::Secret(_) => MASK,
    });
    Cow::Owned(shown.collect())
}

/// `text` as a part of a URL's path or query: percent-encoded, but for its marks.
pub fn url_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) => part.extend(utf8_percent_encode(text, PART)),
            Piece::Secret(name) => part.push_str(&mark(name)),
        }
    }
    part
}

/// A shorter secret is not looked for in Base64 or in hex: a few letters of those stand anywhere.
const ENCODED_BYTES_MIN: usize = 8;

/// The ways in which a secret can show up in a text: as it is, encoded for a URL, a form or JSON, in Base64
/// wherever it begins in what was encoded, in hex, in lower case or in capitals. The longest first, so that none is cut in two by another.
pub fn forms(secret: &str) -> Vec<Zeroizing<String>> {
    let json = Value::from(secret).to_string();
    let mut forms = vec![
        secret.to_owned(),
        secret.trim().to_owned(),
        url_part(secret),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        json[1..json.len() - 1].to_owned(),
    ];
    // Codes of faults are words in lower case, whatever they were made of.
    forms.extend(forms.iter().flat_map(|it| [it.to_lowercase(), it.to_uppercase()]).collect::<Vec<_>>());
    if secret.len() >= ENCODED_BYTES_MIN {
        let hex: String = secret.bytes().map(|it| format!("{it:02x}")).collect();
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

/// What of the Base64 of a text is made by `secret` alone, if so many bytes (modulo 3) stand before it.
fn base64_piece(secret: &[u8], before: usize) -> String {
    let whole = BASE64.encode([&[0; 2][..before], secret].concat());
    // A character has 6 bits: those that the bytes before and behind have a part in are left out.
    let from = (before * 8).div_ceil(6);
    let to = (before + secret.len()) * 8 / 6;
    whole[from..to].to_owned()
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
    fn a_text_comes_apart_at_its_marks() {
        let text = format!("a{}b{}", mark("x"), mark("y"));
        let (plain, secret) = (Piece::Plain, Piece::Secret);
        assert_eq!(pieces(&text), [plain("a"), secret("x"), plain("b"), secret("y")]);
        assert_eq!(masked(&text), "a***b***");
        assert_eq!(pieces("\u{FDD0}open"), [plain("\u{FDD0}open")]);
    }

    #[test]
    fn a_part_of_a_url_keeps_its_marks() {
        assert_eq!(url_part(&format!("a/b?{}", mark("x"))), format!("a%2Fb%3F{}", mark("x")));
    }

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
