//! A text taken apart at the marks of secrets in it. What is between them may be encoded; they must not be.

use std::borrow::Cow;

use percent_encoding::utf8_percent_encode;

use crate::model::effect::{MARK_CLOSE, MARK_OPEN, mark};
use crate::model::forms::PART;
use crate::model::marks::MASK;

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
}
