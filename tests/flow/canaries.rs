//! What a secret looks like when it has been handled.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

/// A secret, and all forms in which it is known again: as it is, in either case, encoded for a URL, in JSON,
/// in hex, and in Base64 wherever it begins.
pub(super) struct Canary {
    /// `process.param`.
    pub(super) name: String,
    pub(super) value: String,
    forms: Vec<String>,
}

impl Canary {
    pub(super) fn new(name: &str, value: &str) -> Canary {
        let mut forms = Vec::new();
        for cased in [value.to_owned(), value.to_lowercase(), value.to_uppercase()] {
            let bytes = cased.as_bytes();
            forms.push(utf8_percent_encode(&cased, NON_ALPHANUMERIC).to_string());
            let json = Value::from(cased.as_str()).to_string();
            forms.push(json[1..json.len() - 1].to_owned());
            let digit = |it: u8| char::from_digit(it.into(), 16).unwrap();
            let hex = bytes.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect::<String>();
            forms.extend([hex.to_uppercase(), hex]);
            for before in 0..3 {
                // What stands before and behind has a part in the outermost characters.
                let (skip, whole) = ([0, 2, 3][before], [&[0_u8; 2][..before], bytes].concat());
                let end = (before + bytes.len()) * 8 / 6;
                forms.push(BASE64_STANDARD.encode(&whole)[skip..end].to_owned());
                forms.push(BASE64_URL_SAFE_NO_PAD.encode(&whole)[skip..end].to_owned());
            }
            forms.push(cased);
        }
        forms.sort();
        forms.dedup();
        Canary { name: name.to_owned(), value: value.to_owned(), forms }
    }

    /// Whether it is in a text, encoded for a URL up to twice.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let is_in = |text: &str| self.forms.iter().any(|form| text.contains(form.as_str()));
        is_in(text) || (text.contains('%') && (is_in(&decoded(text)) || is_in(&decoded(&decoded(text)))))
    }
}
