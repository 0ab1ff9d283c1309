//! What texts and expressions can make of a value: `sha256`, `hmac`, `base64`, `urlencode`, `urldecode`,
//! `date`. One place for both languages.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::model::calendar::{moment, zone};

/// All but the unreserved characters of RFC 3986: what is encoded so is one piece of a URL and nothing else.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The SHA-256 of a text, written as asked: see [`written`].
pub(crate) fn sha256(text: &str, form: Option<&str>) -> Result<String, String> {
    written(&Sha256::digest(text.as_bytes()), form)
}

/// The digest of a text by that algorithm, written as asked.
pub(crate) fn digest(text: &str, algorithm: &str, form: Option<&str>) -> Result<String, String> {
    let bytes = text.as_bytes();
    match algorithm {
        "sha1" => written(&Sha1::digest(bytes), form),
        "sha224" => written(&Sha224::digest(bytes), form),
        "sha256" => written(&Sha256::digest(bytes), form),
        "sha384" => written(&Sha384::digest(bytes), form),
        "sha512" => written(&Sha512::digest(bytes), form),
        other => {
            Err(format!("there is no digest `{other}`; hint: `sha1`, `sha224`, `sha256`, `sha384`, `sha512`"))
        }
    }
}

/// The HMAC-SHA-256 of a text under a key, in hex or as `form` says: `hex`, `base64`, `base64url`.
pub(crate) fn hmac_in(text: &str, key: &str, form: Option<&str>) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|it| it.to_string())?;
    mac.update(text.as_bytes());
    written(&mac.finalize().into_bytes(), form)
}

/// Bytes as a text: in `hex` if nothing else is asked for, in `base64`, or in `base64url` without padding.
fn written(bytes: &[u8], form: Option<&str>) -> Result<String, String> {
    match form {
        None | Some("hex") => Ok(hex(bytes)),
        Some("base64") => Ok(STANDARD.encode(bytes)),
        Some("base64url") => Ok(URL_SAFE_NO_PAD.encode(bytes)),
        Some(other) => {
            Err(format!("a digest is not written in `{other}`; hint: `hex`, `base64` or `base64url`"))
        }
    }
}

/// The text in base64, with padding.
pub(crate) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// The text that base64 says: of either alphabet, with padding or without.
pub(crate) fn unbase64(text: &str) -> Result<String, String> {
    let plain: String = text.chars().filter(|it| !it.is_whitespace()).collect();
    let plain = plain.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let bytes = URL_SAFE_NO_PAD.decode(plain).map_err(|_| "that is no base64".to_owned())?;
    String::from_utf8(bytes).map_err(|_| "what is encoded there is no text in UTF-8".to_owned())
}

/// The text as one piece of a URL.
pub(crate) fn urlencode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// What one piece of a URL says; a `+` is a blank, as in a query.
pub(crate) fn urldecode(text: &str) -> Result<String, String> {
    let blanks = text.replace('+', " ");
    let decoded = percent_decode_str(&blanks).decode_utf8();
    decoded.map(Into::into).map_err(|_| "what is encoded there is no text in UTF-8".to_owned())
}

/// Whether the step of a URL's path around `range` is `.` or `..`, encoded or not.
pub(crate) fn makes_dots(url: &str, range: &Range<usize>) -> bool {
    if url[..range.start].contains(['?', '#']) {
        return false;
    }
    let start = url[..range.start].rfind(['/', '\\']).map_or(0, |it| it + 1);
    let end = url[range.end..].find(['/', '\\', '?', '#']).map_or(url.len(), |it| range.end + it);
    is_dots(&url[start..end])
}

/// Whether any step of a URL's path is.
pub(crate) fn walks(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(is_dots)
}

fn is_dots(step: &str) -> bool {
    matches!(step.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// A moment in the words of `strftime`; in UTC if no zone is given.
pub(crate) fn date(moment: &serde_json::Value, format: &str, zone: Option<&str>) -> Result<String, String> {
    let at = moment::read(moment).map_err(|why| format!("`{moment}` {why}"))?;
    let time = jiff::Timestamp::from_millisecond(at.0).map_err(|_| format!("`{moment}` is no moment"))?;
    let zoned = time.to_zoned(zone::get(zone.unwrap_or("UTC"))?);
    jiff::fmt::strtime::format(format, &zoned).map_err(|_| format!("`{format}` is no format for a date"))
}

/// Bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|it| [it >> 4, it & 15]).map(|it| char::from(DIGITS[usize::from(it)])).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256("", None).unwrap(), empty);
        let known = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        assert_eq!(hmac_in("The quick brown fox jumps over the lazy dog", "key", None).unwrap(), known);
        // The example of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(sha256(verifier, Some("base64url")).unwrap(), challenge);
        assert_eq!(sha256("", Some("base64")).unwrap(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert!(sha256("", Some("base32")).unwrap_err().contains("base64url"));
        assert_eq!(base64("Ā?"), "xIA/");
        assert_eq!(urlencode("a b/ё?-._~"), "a%20b%2F%D1%91%3F-._~");
        assert_eq!(urldecode("4%2F0a+b%20%D1%91%").unwrap(), "4/0a b ё%");
        assert!(urldecode("%ff").is_err());
    }

    #[test]
    fn a_date_is_written_as_asked() {
        assert_eq!(date(&json!(0), "%Y-%m-%d %H:%M", None).unwrap(), "1970-01-01 00:00");
        assert_eq!(date(&json!("2026-07-01T12:00:00Z"), "%H:%M", Some("Europe/Riga")).unwrap(), "15:00");
        for (moment, format, zone) in [
            (json!("soon"), "%H", None),
            (json!(1e300), "%H", None),
            (json!(null), "%H", None),
            (json!(0), "%Q%", None),
            (json!(0), "%H", Some("Mars/Base")),
        ] {
            assert!(date(&moment, format, zone).is_err(), "{moment} {format}");
        }
    }
}
