//! What is wrong with the text of an expression, and what its author may have meant.

use minijinja::Error;

use crate::model::look::is_typographic;
use crate::model::mistake::Mistake;

/// What minijinja says of it.
pub(crate) fn describe(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// A mistake in an expression, where it is.
pub(crate) fn syntax(error: &Error, text: &str) -> Mistake {
    let mut mistake = Mistake::new(describe(error));
    mistake.hint = hint(text).map(str::to_owned);
    let whole = 0..text.len();
    let range = error.range().filter(|it| it.start <= it.end && it.end <= text.len() && !it.is_empty());
    mistake.at(range.unwrap_or(whole))
}

/// What someone who writes another language may have meant.
fn hint(text: &str) -> Option<&'static str> {
    let mut code = String::new();
    let mut open = None;
    for it in text.chars() {
        match open {
            Some(quote) if quote == it => open = None,
            Some(_) => {}
            None if matches!(it, '"' | '\'') => open = Some(it),
            None => code.push(it),
        }
    }
    let plain = code.replace("==", "").replace("!=", "").replace("<=", "").replace(">=", "");
    let hints = [
        (code.contains(is_typographic), "quote with \" or '"),
        (code.contains("{{"), "an expression has no placeholders: write the name alone"),
        (code.contains("&&"), "write `and` for `&&`"),
        (code.contains("||"), "write `or` for `||`"),
        (code.contains("==="), "write `==` for `===`"),
        (code.contains("!=="), "write `!=` for `!==`"),
        (plain.contains('!'), "write `not x` for `!x`"),
        (plain.contains('?'), "write `a if condition else b`; for a default `x|default(y)`"),
        (
            plain.trim_start().starts_with('='),
            "leave the `=` at its beginning out: this is an expression already",
        ),
        (plain.contains('=') && !plain.contains('('), "to compare write `==`"),
        (open.is_some(), "a quote is never closed"),
    ];
    hints.into_iter().find(|(is_so, _)| *is_so).map(|(_, hint)| hint)
}
