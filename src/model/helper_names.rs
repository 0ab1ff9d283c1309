//! The helpers that texts know, and what leads to the same end as those they do not.

use crate::model::mistake::Mistake;
use crate::model::near::nearest;

/// Helpers of ours that make a text.
pub(crate) const MAKERS: [&str; 7] = ["json", "date", "sha256", "base64", "urlencode", "urldecode", "hmac"];
/// Helpers of ours that compare: those of handlebars order a text and a number silently.
pub(crate) const ORDERS: [&str; 4] = ["gt", "gte", "lt", "lte"];
/// Helpers of handlebars that give a value.
const BUILTINS: [&str; 4] = ["lookup", "len", "eq", "ne"];
/// Those that ask whether something is true.
pub(crate) const LOGIC: [&str; 3] = ["and", "or", "not"];

fn helpers() -> impl Iterator<Item = &'static str> {
    MAKERS.into_iter().chain(BUILTINS).chain(ORDERS).chain(LOGIC)
}

/// Whether that is the name of a helper.
pub(crate) fn is_helper(word: &str) -> bool {
    helpers().any(|it| it == word)
}

/// What to say of a helper there is not.
pub(crate) fn no_helper(name: &str, at: usize) -> Mistake {
    let mistake = Mistake::new(format!("unknown helper `{name}`")).at(at..at + name.len());
    let hint = match name.to_lowercase().as_str() {
        "log" => "nothing is logged from a text; the history shows the params",
        "default" | "or_default" => "a default is written `{{x ?? \"y\"}}`",
        "if" | "unless" | "each" | "with" => "it is a block: `{{#if x}}…{{/if}}`",
        "concat" => "texts stand next to each other: `{{a}}{{b}}`",
        "length" | "size" | "count" => "write `{{len x}}`",
        "stringify" | "tojson" => "write `{{json x}}`",
        "upper" | "lower" | "uppercase" | "lowercase" | "capitalize" | "trim" | "replace" | "join"
        | "split" | "round" | "add" | "subtract" | "multiply" | "divide" | "math" | "first" | "last" => {
            "that is for an expression: `= x|upper` in a `set` before, and `{{y}}` here"
        }
        _ => match nearest(name, helpers()) {
            Some(near) => return mistake.hint(format!("did you mean `{near}`?")),
            None => "expressions begin with `=`: write `= a + b` instead of `{{ a + b }}`",
        },
    };
    mistake.hint(hint)
}
