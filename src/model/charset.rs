//! From bytes to text, for every door alike: a byte order mark says how, else the charset that is named, else
//! the one that an XML or HTML document declares, else it is UTF-8. What is none in its charset is told, with
//! its place, and never read as something else. Pure.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{DecoderResult, Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

use crate::model::xml;

/// Names of UTF-8 that no list has.
const UTF_8_NAMES: [&str; 4] = ["utf_8", "utf8mb4", "utf8mb3", "utf-8-sig"];
/// Within so many bytes an HTML document says its charset, as its standard has it.
const HTML_HEAD_BYTES: usize = 1024;

/// Why bytes are no text. As it is written it goes on after "the body".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoText {
    /// Nobody knows the charset of that name.
    Unknown(String),
    /// A byte is none in its charset.
    Invalid {
        /// The charset.
        charset: &'static str,
        /// How many bytes stand before it.
        offset: usize,
    },
}

impl fmt::Display for NoText {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoText::Unknown(name) => write!(to, "is text in the charset `{name}`, which nobody knows"),
            NoText::Invalid { charset, offset } => {
                write!(to, "is no text in {charset}: the byte at offset {offset} is none in it")
            }
        }
    }
}

/// The text that `bytes` are. What is ASCII alone is the same text in every charset, be its name known or
/// not; and JSON is UTF-8 whatever its type says (RFC 8259).
///
/// # Errors
/// Why they are none.
pub fn decode(bytes: &[u8], content_type: &str) -> Result<String, NoText> {
    // A mark goes before what is said.
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return strict(encoding, &bytes[mark..], mark);
    }
    let mut name = named(content_type);
    if name.is_empty() {
        name = declared(bytes, content_type).unwrap_or_default();
    }
    match known(&name) {
        Some(encoding) => strict(encoding, bytes, 0),
        None if bytes.is_ascii() => strict(UTF_8, bytes, 0),
        None if content_type.contains("json") && std::str::from_utf8(bytes).is_ok() => {
            strict(UTF_8, bytes, 0)
        }
        None => Err(NoText::Unknown(name)),
    }
}

/// The same for who has no use for a fault: what is none in its charset becomes U+FFFD.
pub fn legible(bytes: &[u8], content_type: &str) -> String {
    known(&named(content_type)).unwrap_or(UTF_8).decode(bytes).0.into_owned()
}

/// The charset of that name; UTF-8 if none is named.
pub fn known(name: &str) -> Option<&'static Encoding> {
    let is_utf_8 = name.is_empty() || UTF_8_NAMES.iter().any(|it| name.eq_ignore_ascii_case(it));
    let known = if is_utf_8 { Some(UTF_8) } else { Encoding::for_label(name.as_bytes()) };
    // Charsets that the list names to say that they are not to be read.
    known.filter(|it| *it != REPLACEMENT)
}

/// The text of bytes after `skipped` others.
fn strict(encoding: &'static Encoding, bytes: &[u8], skipped: usize) -> Result<String, NoText> {
    if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        return Ok(text.into_owned());
    }
    let offset = skipped + wrong(encoding, bytes);
    Err(NoText::Invalid { charset: encoding.name(), offset })
}

/// Where the first byte is that is none in its charset.
fn wrong(encoding: &'static Encoding, bytes: &[u8]) -> usize {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut piece, mut at) = ([0; 1024], 0);
    loop {
        let (result, read, _) = decoder.decode_to_utf8_without_replacement(&bytes[at..], &mut piece, true);
        at += read;
        match result {
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, after) => {
                return at.saturating_sub(usize::from(length) + usize::from(after));
            }
            DecoderResult::InputEmpty => return at,
        }
    }
}

/// The charset that a document says of itself, where nothing else does.
fn declared(bytes: &[u8], content_type: &str) -> Option<String> {
    let is_html = content_type.trim_start().get(..9).is_some_and(|it| it.eq_ignore_ascii_case("text/html"));
    let name = xml::declared(bytes).or_else(|| if is_html { meta(bytes) } else { None })?;
    // Where the declaration could be read byte by byte, it is no UTF-16, whatever it says.
    let is_wide = known(&name).is_some_and(|it| it == UTF_16LE || it == UTF_16BE);
    (!is_wide).then_some(name)
}

/// `<meta charset=…>` of HTML, and `<meta http-equiv=… content="text/html; charset=…">`.
fn meta(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HTML_HEAD_BYTES)]).to_ascii_lowercase();
    let tags = head.split("<meta").skip(1).filter_map(|it| it.split_once('>').map(|(tag, _)| tag));
    let mut values = tags.filter_map(|tag| {
        let value = tag.split_once("charset")?.1.trim_start().strip_prefix('=')?.trim_start();
        let value = value.trim_start_matches(['"', '\'']);
        let end = value.find(['"', '\'', ';', '/', ' ', '\t', '\r', '\n']).unwrap_or(value.len());
        Some(value[..end].to_owned()).filter(|it| !it.is_empty())
    });
    values.next()
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
pub fn part(bytes: &[u8], charset: &str) -> Result<String, NoText> {
    let encoding = known(charset).or_else(|| bytes.is_ascii().then_some(UTF_8));
    strict(encoding.ok_or_else(|| NoText::Unknown(charset.to_owned()))?, bytes, 0)
}

/// Whether text can be written in the charset of that name.
///
/// # Errors
/// Why not; it goes on after "the text".
pub fn writable(name: &str) -> Result<&'static Encoding, String> {
    let known =
        known(name).ok_or_else(|| format!("is to be sent in the charset `{name}`, which nobody knows"));
    known.and_then(|it| match it.output_encoding() == it {
        true => Ok(it),
        false => Err(format!("cannot be sent in {}; hint: send UTF-8", it.name())),
    })
}

/// A text as bytes of that charset.
///
/// # Errors
/// As [`writable`], and where it has a character that is none of the charset's.
pub fn encode(text: &str, charset: &str) -> Result<Vec<u8>, String> {
    let encoding = writable(charset)?;
    let (bytes, _, lossy) = encoding.encode(text);
    match lossy {
        false => Ok(bytes.into_owned()),
        true => Err(format!("holds a character that {} does not have; hint: send UTF-8", encoding.name())),
    }
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
        let xml = |bytes: &[u8]| read(bytes, "application/xml");
        assert_eq!(xml(b"<?xml version='1.0' encoding='windows-1251'?><a>\xcf</a>").matches('П').count(), 1);
        let wide = "<?xml version='1.0' encoding='utf-16'?><a>П</a>";
        assert_eq!(xml(wide.as_bytes()), wide, "as .NET writes it");
        let html = |bytes: &[u8]| read(bytes, "text/html");
        assert!(html(b"<head><META charset=\"windows-1251\"><p>\xcf").ends_with("<p>П"));
        let equiv = b"<meta http-equiv=Content-Type content='text/html; charset=windows-1251'/><p>\xcf";
        assert!(html(equiv).ends_with("<p>П"));
        assert!(html("<meta name=x><p>П".as_bytes()).ends_with("<p>П"));
        let unknown = |name: &str| Err(NoText::Unknown(name.to_owned()));
        assert_eq!(decode(b"caf\xe9", "text/plain; charset=klingon-8"), unknown("klingon-8"));
        assert_eq!(decode("café".as_bytes(), "text/plain; charset=none"), unknown("none"));
        assert_eq!(decode(b"\x1b$)Ca\xe9", "text/plain; charset=iso-2022-kr"), unknown("iso-2022-kr"));
        assert_eq!(read(b"abc", "text/plain; charset=none"), "abc");
        assert_eq!(read("\"café\"".as_bytes(), "application/json; charset=none"), "\"café\"");
        assert_eq!(read("café".as_bytes(), "text/plain; charset=UTF_8"), "café");
        assert_eq!(read("café".as_bytes(), "text/plain; charset=utf8mb4"), "café");
        assert_eq!(part(b"\xef\xbb\xbf", "utf-8").unwrap(), "\u{feff}");
    }

    #[test]
    fn a_text_is_written_in_the_charset_that_is_said() {
        assert_eq!(encode("Привет", "windows-1251"), Ok(b"\xcf\xf0\xe8\xe2\xe5\xf2".to_vec()));
        assert_eq!(encode("é", ""), Ok("é".as_bytes().to_vec()));
        for (text, charset, told) in [
            ("你", "windows-1251", "holds a character that windows-1251 does not have"),
            ("a", "klingon-8", "`klingon-8`, which nobody knows"),
            ("a", "utf-16", "cannot be sent in UTF-16LE"),
        ] {
            assert!(encode(text, charset).unwrap_err().contains(told), "{charset}");
        }
    }

    #[test]
    fn what_is_no_text_says_where() {
        for (bytes, content_type, charset, offset) in [
            (&b"caf\xe9"[..], "application/json", "UTF-8", 3),
            (b"{\"n\":\"caf\xe9\"}", "", "UTF-8", 9),
            (b"\xef\xbb\xbfa\xff", "text/plain; charset=latin1", "UTF-8", 4),
            (b"\xff\xfea\0\0\xd8b\0", "", "UTF-16LE", 4),
            (b"ab\xc4", "text/plain; charset=GBK", "GBK", 2),
            (
                &[&b"x".repeat(5000)[..], b"\xff\x00", &b"x".repeat(50)].concat(),
                "a/b; charset=Shift_JIS",
                { "Shift_JIS" },
                5000,
            ),
        ] {
            let told = decode(bytes, content_type);
            assert_eq!(told, Err(NoText::Invalid { charset, offset }), "{content_type}");
        }
        assert_eq!(part(b"a\xff", ""), Err(NoText::Invalid { charset: "UTF-8", offset: 1 }));
        assert_eq!(legible(b"a\xffb", ""), "a\u{fffd}b");
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
