//! Finds the `{{tags}}` in a text. Knows where one ends, nothing of what it means.

use std::ops::Range;

use crate::model::mistake::Mistake;

/// A part of a text.
#[derive(Clone, Debug)]
pub(crate) enum Part<'t> {
    /// As it is.
    Plain(&'t str),
    /// A tag.
    Tag(Tag<'t>),
}

/// What stands between `{{` and `}}`.
#[derive(Clone, Debug)]
pub(crate) struct Tag<'t> {
    /// The text between the braces.
    pub inner: &'t str,
    /// Where that begins.
    pub at: usize,
    /// The tag with its braces.
    pub whole: Range<usize>,
    /// `{{{three}}}` braces.
    pub raw: bool,
}

/// The parts of `text`, in order.
pub(crate) fn scan(text: &str) -> Result<Vec<Part<'_>>, Mistake> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|it| from + it) {
        let plain = &text[from..open];
        // One backslash takes their meaning from the braces; of several the last says that it does not.
        let slashes = plain.len() - plain.trim_end_matches('\\').len();
        let plain = &plain[..plain.len() - slashes.min(1)];
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        if slashes == 1 {
            parts.push(Part::Plain(&text[open..open + 2]));
            from = open + 2;
            continue;
        }
        let raw = text[open..].starts_with("{{{");
        let at = open + if raw { 3 } else { 2 };
        if text[at..].starts_with('{') {
            let message = "four braces open nothing";
            return Err(Mistake::new(message)
                .hint(
                    "a name cannot begin with a placeholder: write `{{params.{{name}}}}`; for braces as \
                     such `\\{{`",
                )
                .at(open..at + 1));
        }
        let close = close(text, at, raw).ok_or_else(|| unclosed(text, open, raw))?;
        let end = close + if raw { 3 } else { 2 };
        parts.push(Part::Tag(Tag { inner: &text[at..close], at, whole: open..end, raw }));
        from = end;
    }
    if from < text.len() || parts.is_empty() {
        parts.push(Part::Plain(&text[from..]));
    }
    Ok(parts)
}

fn unclosed(text: &str, open: usize, raw: bool) -> Mistake {
    let (open_word, close_word) = if raw { ("{{{", "}}}") } else { ("{{", "}}") };
    let end = text[open..].find('\n').map_or(text.len(), |it| open + it);
    Mistake::new(format!("`{open_word}` is never closed"))
        .hint(format!("close it with `{close_word}`; for two braces as such write `\\{{{{`"))
        .at(open..end)
}

/// Where the braces that close the tag begin, whose inner text begins at `at`.
pub(crate) fn close(text: &str, at: usize, raw: bool) -> Option<usize> {
    let inner = &text[at..];
    if inner.starts_with('!') {
        let end = if inner.starts_with("!--") { "--}}" } else { "}}" };
        return inner.find(end).map(|it| at + it + end.len() - 2);
    }
    let bytes = text.as_bytes();
    let mut braces: Vec<u8> = Vec::new();
    let mut brackets = 0usize;
    let mut here = at;
    while here < bytes.len() {
        let rest = &bytes[here..];
        match bytes[here] {
            quote @ (b'"' | b'\'') if brackets == 0 => here = skip_string(bytes, here, quote),
            b'[' => brackets += 1,
            b']' => brackets = brackets.saturating_sub(1),
            b'{' if rest.starts_with(b"{{") => {
                braces.push(2);
                here += 1;
            }
            b'{' => braces.push(1),
            b'}' => match braces.last() {
                Some(1) => {
                    braces.pop();
                }
                Some(_) if rest.starts_with(b"}}") => {
                    braces.pop();
                    here += 1;
                }
                None if rest.starts_with(if raw { b"}}}" } else { b"}}" }) => return Some(here),
                Some(_) | None => {}
            },
            _ => {}
        }
        here += 1;
    }
    None
}

/// The last byte of the string that begins at `open`; `open` itself if it does not end.
fn skip_string(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut here = open + 1;
    while here < bytes.len() {
        match bytes[here] {
            b'\\' => here += 1,
            it if it == quote => return here,
            _ => {}
        }
        here += 1;
    }
    open
}

/// The place of the `]` that closes the `[` at `open`.
pub(crate) fn closing_bracket(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (here, it) in text.bytes().enumerate().skip(open) {
        match it {
            b'[' => depth += 1,
            b']' if depth <= 1 => return Some(here),
            b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The place of the first `??` that stands in no brackets, braces or string.
pub(crate) fn default_mark(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut here) = (0usize, 0);
    while here < bytes.len() {
        match bytes[here] {
            quote @ (b'"' | b'\'') if depth == 0 => here = skip_string(bytes, here, quote),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'?' if depth == 0 && bytes[here..].starts_with(b"??") => return Some(here),
            _ => {}
        }
        here += 1;
    }
    None
}

/// Where the string ends that the text begins with.
pub(crate) fn string_end(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (here, it) in text.char_indices().skip(1) {
        match it {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            it if it == quote => return Some(here + 1),
            _ => {}
        }
    }
    None
}

/// Where an argument that is a path ends; brackets may hold anything.
pub(crate) fn argument_end(text: &str) -> usize {
    let mut depth = 0usize;
    for (here, it) in text.char_indices() {
        match it {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            '(' | ')' if depth == 0 && here > 0 => return here,
            it if it.is_whitespace() && depth == 0 => return here,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inners(text: &str) -> Vec<(String, bool)> {
        let tags = scan(text).unwrap().into_iter().filter_map(|it| match it {
            Part::Tag(tag) => Some((tag.inner.to_owned(), tag.raw)),
            Part::Plain(_) => None,
        });
        tags.collect()
    }

    #[test]
    fn a_tag_ends_where_its_own_braces_do() {
        for (text, inner) in [
            ("a {{b}} c", "b"),
            ("{{conv[{{p}}].ref[{{r}}].x}}", "conv[{{p}}].ref[{{r}}].x"),
            ("{\"a\":{\"b\":{{x}}}}", "x"),
            ("{{o.{{k}}}}", "o.{{k}}"),
            ("{{x ?? \"}}\"}}", "x ?? \"}}\""),
            ("{{x ?? {\"a\":{\"b\":1}}}}", "x ?? {\"a\":{\"b\":1}}"),
            ("{{!-- {{no}} --}}", "!-- {{no}} --"),
        ] {
            assert_eq!(inners(text), [(inner.to_owned(), false)], "{text}");
        }
        assert_eq!(inners("{{{raw}}}}"), [("raw".to_owned(), true)]);
    }

    #[test]
    fn one_backslash_makes_text_of_braces_and_two_are_one() {
        let written = |text: &str| -> Vec<String> {
            let part = |it: Part| match it {
                Part::Plain(plain) => plain.to_owned(),
                Part::Tag(tag) => format!("<{}>", tag.inner),
            };
            scan(text).unwrap().into_iter().map(part).collect()
        };
        for (text, parts) in [
            ("\\{{a}}", vec!["{{", "a}}"]),
            ("x\\{{a}} {{b}}", vec!["x", "{{", "a}} ", "<b>"]),
            ("\\\\{{a}}", vec!["\\", "<a>"]),
            ("\\\\\\{{a}}", vec!["\\\\", "<a>"]),
            ("\\{{{a}}}", vec!["{{", "{a}}}"]),
            ("\\{{", vec!["{{"]),
            ("a\\b {{c}}", vec!["a\\b ", "<c>"]),
        ] {
            assert_eq!(written(text), parts, "{text}");
        }
    }

    #[test]
    fn an_open_tag_is_told_with_its_place() {
        let mistake = scan("a\n{{b\nc").unwrap_err();
        assert_eq!(mistake.at, Some(2..5));
        assert!(scan("{{{a}}").is_err());
        assert!(scan("{{{{a}}}}").is_err());
    }
}
