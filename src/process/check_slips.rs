//! What is written as a literal, and was most likely meant as something else. It is taken as it is written,
//! and told as a warning.

use std::collections::BTreeSet;

use crate::model::expr::Expr;
use crate::model::scope::RESERVED;
use crate::model::tree::{Branch, Spot, Tree};
use crate::process::parsed::{ParsedProcess, known_names};
use crate::process::problem::{FileProblem, Lines};

/// Keys under which a node keeps values: a text that reads as an expression was meant as one.
const VALUES: [&str; 6] = ["set", "save", "values", "result", "params", "items"];
/// What makes an expression of names.
const OPERATORS: [char; 9] = ['+', '-', '*', '/', '~', '|', '.', '[', '('];

/// All such places of a process.
pub fn check(parsed: &ParsedProcess, tree: &Tree, source: &str) -> Vec<FileProblem> {
    let known = known_names(parsed);
    let mut found = Vec::new();
    for (key, part) in parsed.nodes.iter().flat_map(|it| it.tree.entries()) {
        if let ("json", Branch::Text(text)) = (key.text.as_str(), &part.branch) {
            found.extend(quoted_json(text, part.spot));
        }
        for (_, text, spot) in part.texts() {
            found.extend(one_brace(text, spot, &known));
            if VALUES.contains(&key.text.as_str()) {
                found.extend(bare(text, spot, &known));
            }
        }
    }
    cut(tree, source, &Lines::new(source), &mut found);
    found
}

/// `{city}` or `${city}`, where `{{city}}` was meant.
fn one_brace(text: &str, spot: Spot, known: &BTreeSet<String>) -> Option<FileProblem> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|it| it + from) {
        if text[open..].starts_with("{{") {
            // What stands in a placeholder is another language.
            from = open + text[open..].find("}}")? + 2;
            continue;
        }
        from = open + 1;
        let Some(end) = text[from..].find(['{', '}']).map(|it| it + from) else { break };
        let name = text[from..end].trim();
        if text[end..].starts_with('}') && is_path(name) && root(name).is_some_and(|it| is_name(it, known)) {
            let start = if text[..open].ends_with('$') { open - 1 } else { open };
            let message = format!("`{}` is no placeholder: it is sent as it stands", &text[start..=end]);
            let hint = format!("write `{{{{{name}}}}}`");
            return Some(FileProblem::new(spot.within(text, start..end + 1), message).hint(hint));
        }
    }
    None
}

/// `response.body.id` or `n + 1`, where `= n + 1` was meant.
fn bare(text: &str, spot: Spot, known: &BTreeSet<String>) -> Option<FileProblem> {
    let text = text.trim();
    if text.starts_with('=') || text.contains("{{") || !text.contains(OPERATORS) {
        return None;
    }
    let uses = Expr::parse(text).ok()?.uses();
    let reads = !uses.roots.is_empty() || !uses.convs.is_empty() || !uses.secrets.is_empty();
    if !reads || !uses.roots.iter().all(|it| is_name(it, known)) {
        return None;
    }
    let message = format!("`{text}` is kept as these letters");
    Some(FileProblem::new(spot, message).hint(format!("an expression begins with `=`: \"= {text}\"")))
}

/// JSON in quotes is a text, and is sent in quotes.
fn quoted_json(text: &str, spot: Spot) -> Option<FileProblem> {
    let text = text.trim();
    let is_map = text.starts_with('{') && !text.starts_with("{{") && text.ends_with('}');
    let is_list = text.starts_with('[') && text.ends_with(']');
    let hint =
        "write it without quotes, as YAML: `json: {a: 1}`; or `body: {type: application/json, text: …}`";
    let message = "`json` is a text here, and is sent as a text in quotes";
    (is_map || is_list).then(|| FileProblem::new(spot, message).hint(hint))
}

/// Values that a ` #` cuts: `Order #5 is late` is `Order`. A comment has a blank behind its `#`. What is
/// nothing but a comment, as `color: #fff`, is no value at all, and refused by the reader.
fn cut(tree: &Tree, source: &str, lines: &Lines, found: &mut Vec<FileProblem>) {
    match &tree.branch {
        Branch::Map(pairs) => pairs.iter().for_each(|(_, it)| cut(it, source, lines, found)),
        Branch::List(items) => items.iter().for_each(|it| cut(it, source, lines, found)),
        Branch::Null => {}
        Branch::Bool(_) | Branch::Number(_) | Branch::Text(_) => {
            let quoted = |it: &str| it.starts_with(['"', '\'', '|', '>']);
            let is_plain = !source.get(tree.spot.start..).is_some_and(quoted);
            if is_plain {
                found.extend(cut_at(tree.spot.end, source, lines));
            }
        }
    }
}

/// The comment that begins there, if it looks like none.
fn cut_at(end: usize, source: &str, lines: &Lines) -> Option<FileProblem> {
    let rest = source.get(end..)?.lines().next()?;
    let comment = rest.trim_start_matches([' ', '\t']);
    let behind = comment.strip_prefix('#')?.chars().next()?;
    if comment.len() == rest.len() || behind.is_whitespace() || matches!(behind, '#' | '!' | '-' | '=') {
        return None;
    }
    let (line, text) = lines.line(end);
    if text.get(..end - line)?.trim().is_empty() {
        return None;
    }
    let start = end + rest.len() - comment.len();
    let spot = lines.spot(start, end + rest.len());
    let message = "what follows ` #` is a comment, and not part of the value";
    Some(
        FileProblem::new(spot, message)
            .hint("put the whole value in quotes; a comment has a blank behind its `#`"),
    )
}

/// Whether a text is a name with keys behind it, as `response.body.items[0]`.
fn is_path(text: &str) -> bool {
    let fits = |it: char| it.is_alphanumeric() || matches!(it, '_' | '.' | '[' | ']');
    text.starts_with(|it: char| it.is_alphabetic() || it == '_') && text.chars().all(fits)
}

fn root(path: &str) -> Option<&str> {
    path.split(['.', '[']).next()
}

fn is_name(name: &str, known: &BTreeSet<String>) -> bool {
    known.contains(name) || RESERVED.contains(&name)
}
