//! From bytes to text, for every door alike: a byte order mark says how, else the charset that is named, else
//! it is UTF-8. Pure.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// Names of UTF-8 that no list has.
const UTF_8_NAMES: [&str; 4] = ["utf_8", "utf8mb4", "utf8mb3", "utf-8-sig"];

/// The text that `bytes` are. A single byte that is none in its charset becomes U+FFFD: it is the sender's,
/// and all around it is read. What is ASCII alone is the same text in every charset, be its name known or
/// not; and JSON is UTF-8 whatever its type says (RFC 8259).
///
/// # Errors
/// The name of the charset, if there is no such.
pub fn decode(bytes: &[u8], content_type: &str) -> Result<String, String> {
    let name = named(content_type);
    let encoding = match encoding(&name) {
        Some(encoding) => encoding,
        None if bytes.is_ascii() => UTF_8,
        None if content_type.contains("json") && std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => return Err(name),
    };
    // A mark goes before what is said.
    Ok(encoding.decode(bytes).0.into_owned())
}

/// The charset of that name; UTF-8 if none is named.
fn encoding(name: &str) -> Option<&'static Encoding> {
    let is_utf_8 = name.is_empty() || UTF_8_NAMES.iter().any(|it| name.eq_ignore_ascii_case(it));
    if is_utf_8 { Some(UTF_8) } else { Encoding::for_label(name.as_bytes()) }
}

/// The text of bytes that say nothing of their charset.
pub fn plain(bytes: &[u8]) -> String {
    UTF_8.decode(bytes).0.into_owned()
}

/// The text of a file that somebody saved, which is UTF-8 or what its byte order mark says. None if it is no
/// text in that.
pub fn saved(bytes: &[u8]) -> Option<String> {
    let (encoding, mark) = Encoding::for_bom(bytes).unwrap_or((UTF_8, 0));
    let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
    text.map(Cow::into_owned)
}

/// `bytes` as text in the charset that is named there, as part of a form. No mark is looked for.
///
/// # Errors
/// As [`decode`].
pub fn part(bytes: &[u8], charset: &str) -> Result<String, String> {
    let encoding = encoding(charset).or_else(|| bytes.is_ascii().then_some(UTF_8));
    let encoding = encoding.ok_or_else(|| charset.to_owned())?;
    Ok(encoding.decode_without_bom_handling(bytes).0.into_owned())
}

/// The charset that a content type names; empty if it names none.
pub fn named(content_type: &str) -> String {
    let parts = content_type.split(';').skip(1);
    let pairs = parts.filter_map(|it| it.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    named.next().map_or("", |(_, it)| it.trim().trim_matches(['"', '\'', ' '])).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_by_its_charset() {
        let read = |bytes: &[u8], content_type: &str| decode(bytes, content_type).unwrap();
        assert_eq!(read(b"\xcf\xf0\xe8\xe2\xe5\xf2", "text/html; charset=windows-1251"), "Привет");
        assert_eq!(read(b"caf\xe9", "text/plain; charset=\"ISO-8859-1\""), "café");
        assert_eq!(read(b"\xa4", "text/plain;Charset = iso-8859-15"), "€");
        assert_eq!(read(b"\xc4\xe3\xba\xc3", "application/json; charset=GBK"), "你好");
        assert_eq!(read(b"\x83e\x83X\x83g", "text/plain; charset=Shift_JIS"), "テスト");
        assert_eq!(read(b"\xff\xfeA\0", "text/plain; charset=utf-16"), "A");
        assert_eq!(read(b"\xfe\xff\0A", "text/plain; charset=utf-16"), "A");
        assert_eq!(read(b"\xef\xbb\xbf{}", "application/json"), "{}");
        assert_eq!(read(b"\xef\xbb\xbf\xc3\xa9", "text/plain; charset=latin1"), "é", "the mark knows better");
        assert_eq!(read(b"a\xffb", ""), "a\u{fffd}b");
        assert_eq!(decode(b"caf\xe9", "text/plain; charset=klingon-8"), Err("klingon-8".to_owned()));
        assert_eq!(decode("café".as_bytes(), "text/plain; charset=none"), Err("none".to_owned()));
        assert_eq!(read(b"abc", "text/plain; charset=none"), "abc");
        assert_eq!(read("\"café\"".as_bytes(), "application/json; charset=none"), "\"café\"");
        assert_eq!(read("café".as_bytes(), "text/plain; charset=UTF_8"), "café");
        assert_eq!(read("café".as_bytes(), "text/plain; charset=utf8mb4"), "café");
        assert_eq!(part(b"\xef\xbb\xbf", "utf-8").unwrap(), "\u{feff}");
    }

    #[test]
    fn a_saved_file_is_read_as_it_is_or_not_at_all() {
        for (bytes, text) in [
            (b"\xef\xbb\xbfabc\n".as_slice(), Some("abc\n")),
            (b"\xff\xfea\0\xe9\0", Some("a\u{e9}")),
            (b"\xfe\xff\0a", Some("a")),
            ("a\u{feff}b".as_bytes(), Some("a\u{feff}b")),
            (b"caf\xe9", None),
            (b"\xff\xfea", None),
            (b"", Some("")),
        ] {
            assert_eq!(saved(bytes).as_deref(), text, "{bytes:?}");
        }
    }
}
