//! [`read`]: a mail as it came over the wire, decoded enough to show whom it is from and to, and what it
//! says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The deepest nesting of parts that is looked into.
const DEPTH_MAX: usize = 8;

/// What a mail says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ReceivedMail {
    /// The header.
    pub from: String,
    /// The header.
    pub to: String,
    /// Decoded.
    pub subject: String,
    /// Its first text, decoded; as received if its encoding is not known.
    pub text: String,
}

/// Reads a mail. Whatever cannot be read stays as it is.
pub fn read(raw: &str) -> ReceivedMail {
    let raw = raw.replace("\r\n", "\n");
    let (head, body) = split(&raw);
    let header = |name: &str| words(&find(&head, name));
    ReceivedMail {
        from: header("from"),
        to: header("to"),
        subject: header("subject"),
        text: text(&head, body, 0),
    }
}

/// The headers, unfolded, and the body.
fn split(raw: &str) -> (Vec<(String, String)>, &str) {
    let (head, body) = match raw.strip_prefix('\n') {
        Some(body) => ("", body),
        None => raw.split_once("\n\n").unwrap_or((raw, "")),
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        match (line.starts_with([' ', '\t']), line.split_once(':'), headers.last_mut()) {
            (true, _, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, Some((name, value)), _) => {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            (true, _, None) | (false, None, _) => {}
        }
    }
    (headers, body)
}

fn find(headers: &[(String, String)], name: &str) -> String {
    headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn text(headers: &[(String, String)], body: &str, depth: usize) -> String {
    let kind = find(headers, "content-type");
    let boundary = kind.to_ascii_lowercase().starts_with("multipart/").then(|| boundary(&kind)).flatten();
    if let Some(boundary) = boundary.filter(|_| depth < DEPTH_MAX) {
        let mark = format!("--{boundary}");
        let part = body.split(&mark).skip(1).find(|part| !part.starts_with("--"));
        let part = part.unwrap_or_default().trim_start_matches(' ');
        let (headers, body) = split(part.strip_prefix('\n').unwrap_or(part));
        return text(&headers, body, depth + 1);
    }
    let decoded = match find(headers, "content-transfer-encoding").to_ascii_lowercase().as_str() {
        "base64" => {
            let compact: String = body.split_ascii_whitespace().collect();
            STANDARD.decode(compact).ok()
        }
        "quoted-printable" => Some(quoted(body, false)),
        _ => None,
    };
    let text = decoded.map_or_else(|| body.to_owned(), |it| String::from_utf8_lossy(&it).into_owned());
    text.trim_end_matches(['\r', '\n']).to_owned()
}

fn boundary(kind: &str) -> Option<String> {
    let start = kind.to_ascii_lowercase().find("boundary=")? + "boundary=".len();
    let rest = kind.get(start..)?;
    let found = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split([';', ' ']).next()?,
    };
    (!found.is_empty()).then(|| found.to_owned())
}

/// Quoted-printable; in headers, `_` is a space.
fn quoted(text: &str, in_header: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        let value = pair.and_then(|it| u8::from_str_radix(it, 16).ok());
        match (byte, value) {
            (b'=', Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            // A line that goes on.
            (b'=', None) if bytes.get(at + 1) == Some(&b'\n') => at += 1,
            (b'_', _) if in_header => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    decoded
}

/// `=?utf-8?b?…?=` words decoded; what is not UTF-8 stays as it is.
fn words(value: &str) -> String {
    let mut shown = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, from) = rest.split_at(start);
        let Some((decoded, behind)) = word(from) else {
            let (mark, behind) = from.split_at(2);
            shown.push_str(before);
            shown.push_str(mark);
            rest = behind;
            after_word = false;
            continue;
        };
        // White space between two encoded words belongs to neither.
        if !(after_word && before.trim().is_empty()) {
            shown.push_str(before);
        }
        shown.push_str(&decoded);
        rest = behind;
        after_word = true;
    }
    shown + rest
}

fn word(text: &str) -> Option<(String, &str)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (content, behind) = rest.split_once("?=")?;
    if !matches!(charset.to_ascii_lowercase().as_str(), "utf-8" | "us-ascii") {
        return None;
    }
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "b" => STANDARD.decode(content).ok()?,
        "q" => quoted(content, true),
        _ => return None,
    };
    Some((String::from_utf8(bytes).ok()?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_mail_is_read() {
        let raw = "From: Belt <a@b>\r\nTo: c@d\r\nSubject: one\r\n two\r\n\r\nHi\r\nthere\r\n";
        let expected = ["Belt <a@b>", "c@d", "one two", "Hi\nthere"].map(ToOwned::to_owned);
        let ReceivedMail { from, to, subject, text } = read(raw);
        assert_eq!([from, to, subject, text], expected);
    }

    #[test]
    fn encoded_words_and_bodies_are_decoded() {
        let raw = "Subject: =?utf-8?b?0J/RgNC4?= =?utf-8?q?_caf=C3=A9?= x\n\
                   Content-Transfer-Encoding: quoted-printable\n\nlong =\nline =C3=A9 =3D";
        let mail = read(raw);
        assert_eq!((mail.subject.as_str(), mail.text.as_str()), ("При café x", "long line é ="));
        let raw = "Content-Transfer-Encoding: base64\n\n0J/R\ngNC4\n";
        assert_eq!(read(raw).text, "При");
    }

    #[test]
    fn the_first_part_of_many_is_shown() {
        let raw = "Content-Type: multipart/alternative; boundary=\"x\"\n\npreamble\n--x\n\
                   Content-Type: text/plain\n\nplain\n--x\nContent-Type: text/html\n\n<b>\n--x--\n";
        assert_eq!(read(raw).text, "plain");
    }

    #[test]
    fn nonsense_is_no_trouble() {
        for raw in ["", "\n", ":", "=?", "Subject: =?utf-8?b?!?=", "Subject: =?a?b?c\n\n=", " folded"] {
            let _ = read(raw);
        }
        let nested = "Content-Type: multipart/mixed; boundary=x\n\n--x\n".repeat(100);
        let _ = read(&nested);
    }
}
