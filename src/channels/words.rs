//! What is said to a person, and what a provider says to us: cut to size, on one line, naming no one.

use crate::channels::spec::Message;
use crate::model::fault::Fault;

/// As much of a provider's own words as a fault quotes.
const WORDS_CHARS_MAX: usize = 200;
/// A run of digits this long may be somebody's number.
const NUMBER_DIGITS_MIN: usize = 7;
/// The longest subject, in characters: more is not shown anywhere.
const SUBJECT_CHARS_MAX: usize = 200;
/// The longest name of a character in HTML that is looked for, such as `&#128512;`.
const ENTITY_BYTES_MAX: usize = 12;
/// The characters that HTML names and error texts use.
const ENTITIES: [(&str, char); 8] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("laquo", '«'),
    ("raquo", '»'),
];

/// What a channel without subjects says, cut to `units_max` UTF-16 units, as the providers count.
///
/// # Errors
/// `bad_value` if there is nothing to say.
pub fn said(message: &Message, units_max: usize) -> Result<String, Fault> {
    Ok(cut(told(message)?, units_max))
}

/// The same in a text message of at most `plain_max` characters, or `units_max` UTF-16 units if it has others
/// than ASCII.
///
/// # Errors
/// `bad_value` if there is nothing to say.
pub fn texted(message: &Message, plain_max: usize, units_max: usize) -> Result<String, Fault> {
    let text = told(message)?;
    let fits = text.is_ascii() && text.len() <= plain_max;
    Ok(if fits { text.to_owned() } else { cut(text, units_max) })
}

fn told(message: &Message) -> Result<&str, Fault> {
    let text = [&message.text, &message.subject].into_iter().find(|it| !it.trim().is_empty());
    text.map(String::as_str).ok_or_else(|| Fault::lasting("bad_value", "the message is empty"))
}

/// The subject, or else the first line of the text.
pub fn subject(message: &Message) -> String {
    let first = message.text.lines().find(|it| !it.trim().is_empty()).unwrap_or_default();
    let subject = if message.subject.trim().is_empty() { first } else { &message.subject };
    one_line(subject).chars().take(SUBJECT_CHARS_MAX).collect()
}

/// The name and the address in `Bot <bot@example.org>`; the name is empty if there is only an address.
pub fn name_and_address(text: &str) -> (String, String) {
    let line = one_line(text);
    match line.strip_suffix('>').and_then(|it| it.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').to_owned(), address.trim().to_owned()),
        None => (String::new(), line),
    }
}

/// Several in one setting, with commas between.
pub fn several(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect()
}

/// The head of `text`, with `…` in place of what is cut off.
fn cut(text: &str, units_max: usize) -> String {
    if text.encode_utf16().count() <= units_max {
        return text.to_owned();
    }
    let mut units = 1;
    let head = text.chars().take_while(|it| {
        units += it.len_utf16();
        units <= units_max
    });
    let mut head: String = head.collect();
    head.push('…');
    head
}

/// `text` as one line: what could begin another header becomes a space.
pub fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    line.trim().to_owned()
}

/// A provider's own words, fit for a fault: one line, not long, without anybody's number or address.
pub fn words(text: &str) -> String {
    let line = one_line(text);
    let mut shown = String::new();
    for (n, word) in line.split_whitespace().enumerate() {
        if n > 0 {
            shown.push(' ');
        }
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let private = word.contains('@') || (digits >= NUMBER_DIGITS_MIN && !word.contains("://"));
        shown.push_str(if private { "***" } else { word });
    }
    cut(shown.trim_end_matches('.'), WORDS_CHARS_MAX)
}

/// A provider's id of a message, and what else there is to say of it; either may be empty.
pub fn noted(id: &str, note: &str) -> String {
    match (id, note) {
        (id, "") => id.to_owned(),
        ("", note) => note.to_owned(),
        (id, note) => format!("{id}; {note}"),
    }
}

/// A plain text as HTML.
pub fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\n' => html.push_str("<br>\n"),
            '\r' => {}
            it => html.push(it),
        }
    }
    html
}

/// A text out of HTML; what is no character's name stays as it is.
pub fn unescaped(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        let name = after.split_once(';').filter(|(name, _)| name.len() <= ENTITY_BYTES_MAX);
        match name.and_then(|(name, behind)| Some((character(name)?, behind))) {
            Some((it, behind)) => {
                text.push(it);
                rest = behind;
            }
            None => {
                text.push('&');
                rest = after;
            }
        }
    }
    text + rest
}

fn character(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return ENTITIES.iter().find(|(it, _)| *it == name).map(|(_, it)| *it);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_head() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("😀😀", 3), "😀…");
    }

    #[test]
    fn a_text_message_is_longer_in_plain_characters() {
        let message = |text: &str| Message { subject: String::new(), text: text.into(), key: String::new() };
        let units = |text: &str| texted(&message(text), 20, 10).unwrap().encode_utf16().count();
        assert_eq!((units(&"x".repeat(20)), units(&"x".repeat(21)), units(&"я".repeat(20))), (20, 10, 10));
    }

    #[test]
    fn the_words_of_a_provider_name_no_one() {
        assert_eq!(words("The 'To' number +15558675310 is not valid."), "The 'To' number *** is not valid");
        assert_eq!(words("550 <a@b.org>: no\r\nsuch user"), "550 *** no such user");
        assert_eq!(words("error code 20003"), "error code 20003");
    }

    #[test]
    fn html_is_read_and_written() {
        assert_eq!(
            unescaped("&quot;A &amp; B&quot; isn&#039;t &#x41; &nope; & &"),
            "\"A & B\" isn't A &nope; & &"
        );
        assert_eq!(html("a <b> & \"c\"\r\nd"), "a &lt;b&gt; &amp; &quot;c&quot;<br>\nd");
    }

    #[test]
    fn an_address_may_have_a_name() {
        assert_eq!(name_and_address("\"A Bot\" <a@b.org>"), ("A Bot".to_owned(), "a@b.org".to_owned()));
        assert_eq!(name_and_address(" a@b.org"), (String::new(), "a@b.org".to_owned()));
    }
}
