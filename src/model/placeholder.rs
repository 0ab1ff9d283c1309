//! [`Placeholder`]: what one `{{placeholder}}` reads: a path, another task's path, a secret, or a literal,
//! each with a default if one is given.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use crate::model::effect::mark;
use crate::model::fault::Fault;
use crate::model::look::{
    as_text, has_mark, is_missing, is_name_char, is_typographic, len, look, null, refuse_marks,
};
use crate::model::marks::Marks;
use crate::model::mistake::Mistake;
use crate::model::names::{Address, ProcessId, Ref};
use crate::model::scan::{self, Tag, closing_bracket, default_mark};
use crate::model::scope::EvalContext;
use crate::model::uses::Uses;

/// How deep placeholders may stand in placeholders.
const DEPTH_MAX: usize = 8;

/// A placeholder.
#[derive(Clone, Debug)]
pub(crate) struct Placeholder {
    /// As it was written, without its default.
    name: String,
    source: Source,
    default: Option<Box<Placeholder>>,
}

#[derive(Clone, Debug)]
enum Source {
    Literal(Value),
    Path { root: String, keys: Keys },
    Other { address: Made, keys: Keys },
    Secret(String),
}

/// The address of another task.
#[derive(Clone, Debug)]
enum Made {
    Known(Address),
    Later { process: Pieces, reference: Pieces },
}

#[derive(Clone, Debug)]
enum Keys {
    Known(Vec<String>),
    Later(Vec<Pieces>),
}

/// A small text, as a key, a process or a ref is written.
type Pieces = Vec<Piece>;

#[derive(Clone, Debug)]
enum Piece {
    Plain(String),
    Placeholder(Placeholder),
}

impl Placeholder {
    /// Reads what stands in a tag.
    pub(crate) fn of(tag: &Tag) -> Result<Placeholder, Mistake> {
        read_placeholder(tag.inner, tag.at, 0)
    }

    /// Reads one path, as it stands among the arguments of a helper.
    pub(crate) fn path(text: &str, at: usize) -> Result<Placeholder, Mistake> {
        read_placeholder(text, at, 0)
    }

    /// As it was written.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a secret, or has one as its default.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.source, Source::Secret(_)) || self.default.as_ref().is_some_and(|it| it.is_secret())
    }

    /// The value, with its JSON type.
    pub(crate) fn value<'v>(&'v self, view: &'v EvalContext) -> Result<Cow<'v, Value>, Fault> {
        match (&self.default, self.source_value(view)) {
            (Some(default), Ok(value)) if value.is_null() => default.value(view),
            (Some(default), Err(fault)) if is_missing(&fault) => default.value(view),
            (_, found) => found,
        }
    }

    /// The value as text, and whether it is the mark of a secret.
    pub(crate) fn text<'v>(&'v self, view: &'v EvalContext) -> Result<(Cow<'v, str>, bool), Fault> {
        let marked = |value: &Value| view.secrets && self.is_secret() && value.as_str().is_some_and(has_mark);
        let value = self.value(view)?;
        let is_mark = marked(&value);
        Ok((as_text(value, &self.name)?, is_mark))
    }

    /// What of its value is secret. What was found by way of a secret is so wholly.
    pub(crate) fn marks(&self, view: &EvalContext) -> Result<Marks, Fault> {
        let (found, by_secret) = view.scope.taint.during(|| self.source_marks(view));
        let marks = match (&self.default, self.source_value(view)) {
            (Some(default), Ok(value)) if value.is_null() => default.marks(view),
            (Some(default), Err(fault)) if is_missing(&fault) => default.marks(view),
            _ => found,
        };
        if by_secret { Ok(Marks::whole()) } else { marks }
    }

    fn source_marks(&self, view: &EvalContext) -> Result<Marks, Fault> {
        match &self.source {
            Source::Literal(_) | Source::Secret(_) => Ok(Marks::default()),
            Source::Path { root, keys } => Ok(view.marks(root, &keys.known(view)?)),
            Source::Other { address, keys } => {
                let keys = keys.known(view)?;
                Ok(view.scope.marks(&*address.known(view)?, &keys))
            }
        }
    }

    /// What it reads.
    pub(crate) fn uses(&self, uses: &mut Uses) {
        match &self.source {
            Source::Literal(_) => {}
            Source::Path { root, keys } => {
                uses.path(root, keys.literal(0), keys.literal(1));
                keys.uses(uses);
            }
            Source::Secret(name) => {
                uses.secrets.insert(name.clone());
            }
            Source::Other { address, keys } => {
                keys.uses(uses);
                let conv = match address {
                    Made::Known(it) => (Some(it.process.to_string()), Some(it.reference.to_string())),
                    Made::Later { process, reference } => {
                        placeholders(process).chain(placeholders(reference)).for_each(|it| it.uses(uses));
                        (literal(process), literal(reference))
                    }
                };
                let others = [(conv.0.clone(), keys.literal(0).map(str::to_owned))].into();
                uses.add(Uses { convs: vec![conv], others, ..Uses::default() });
            }
        }
        if let Some(default) = &self.default {
            default.uses(uses);
        }
    }

    fn source_value<'v>(&'v self, view: &'v EvalContext) -> Result<Cow<'v, Value>, Fault> {
        let value = match &self.source {
            Source::Literal(value) => Cow::Borrowed(value),
            Source::Secret(name) => return secret(name, view).map(Cow::Owned),
            Source::Path { root, keys } => {
                let keys = keys.known(view)?;
                match look(view, root, &keys) {
                    Err(fault) if is_missing(&fault) => length(view, root, &keys).ok_or(fault)?,
                    found => found?,
                }
            }
            Source::Other { address, keys } => {
                let (address, keys) = (address.known(view)?, keys.known(view)?);
                let path: Vec<&str> = keys.iter().map(String::as_str).collect();
                Cow::Owned(view.scope.read(&address, &path)?)
            }
        };
        if view.secrets {
            refuse_marks(&value)?;
        }
        Ok(value)
    }
}

impl Made {
    fn known(&self, view: &EvalContext) -> Result<Cow<'_, Address>, Fault> {
        match self {
            Made::Known(address) => Ok(Cow::Borrowed(address)),
            Made::Later { process, reference } => {
                address_of(&made(process, view)?, &made(reference, view)?).map(Cow::Owned)
            }
        }
    }
}

impl Keys {
    fn known(&self, view: &EvalContext) -> Result<Cow<'_, [String]>, Fault> {
        match self {
            Keys::Known(keys) => Ok(Cow::Borrowed(keys)),
            Keys::Later(keys) => made_all(keys, view).map(Cow::Owned),
        }
    }

    /// The key at that place, if it is literal.
    fn literal(&self, at: usize) -> Option<&str> {
        match self {
            Keys::Known(keys) => keys.get(at).map(String::as_str),
            Keys::Later(keys) => match keys.get(at).map(Vec::as_slice) {
                Some([Piece::Plain(text)]) => Some(text),
                _ => None,
            },
        }
    }

    fn uses(&self, uses: &mut Uses) {
        if let Keys::Later(keys) = self {
            keys.iter().flatten().for_each(|it| {
                if let Piece::Placeholder(placeholder) = it {
                    placeholder.uses(uses);
                }
            });
        }
    }
}

/// The address of another task, from names that were made while running.
///
/// # Errors
/// `bad_name`.
pub(crate) fn address_of(process: &str, reference: &str) -> Result<Address, Fault> {
    let bad = |it: crate::model::names::BadName| Fault::lasting("bad_name", it.to_string());
    Ok(Address {
        process: ProcessId::new(process).map_err(bad)?,
        reference: Ref::new(reference).map_err(bad)?,
    })
}

/// `items.length`, as handlebars.js has it.
fn length(view: &EvalContext, root: &str, keys: &[String]) -> Option<Cow<'static, Value>> {
    let (_, above) = keys.split_last().filter(|(last, _)| *last == "length")?;
    look(view, root, above).ok().and_then(|it| len(&it)).map(Cow::Owned)
}

fn secret(name: &str, view: &EvalContext) -> Result<Value, Fault> {
    if !view.secrets {
        let message = format!("`secret.{name}` stands where it would be kept or shown");
        return Err(Fault::lasting("secret_misplaced", message));
    }
    if !view.scope.secrets.contains(name) {
        return Err(Fault::lasting("missing_secret", format!("there is no secret `{name}`")));
    }
    Ok(Value::String(mark(name)))
}

fn made(pieces: &[Piece], view: &EvalContext) -> Result<String, Fault> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => text.push_str(plain),
            Piece::Placeholder(placeholder) => match placeholder.value(view)? {
                value if value.is_null() => return Err(null(placeholder.name())),
                value if value.is_array() || value.is_object() => {
                    let message =
                        format!("`{}` is a list or a map, and stands in a name", placeholder.name());
                    return Err(Fault::lasting("bad_name", message));
                }
                value => text.push_str(&as_text(value, placeholder.name())?),
            },
        }
    }
    Ok(text)
}

fn made_all(keys: &[Pieces], view: &EvalContext) -> Result<Vec<String>, Fault> {
    keys.iter().map(|it| made(it, view)).collect()
}

fn literal(pieces: &[Piece]) -> Option<String> {
    match pieces {
        [Piece::Plain(text)] => Some(text.clone()),
        _ => None,
    }
}

fn placeholders(pieces: &[Piece]) -> impl Iterator<Item = &Placeholder> {
    pieces.iter().filter_map(|it| match it {
        Piece::Placeholder(placeholder) => Some(placeholder),
        Piece::Plain(_) => None,
    })
}

fn read_placeholder(text: &str, at: usize, depth: usize) -> Result<Placeholder, Mistake> {
    if depth > DEPTH_MAX {
        return Err(Mistake::new("placeholders stand too deep in each other").at(at..at + text.len()));
    }
    let begin = at + text.len() - text.trim_start().len();
    let text = text.trim();
    let whole = begin..begin + text.len();
    if text.is_empty() {
        let wide = at.saturating_sub(2)..whole.end + 2;
        return Err(Mistake::new("an empty placeholder")
            .hint("name what goes in, as in `{{city}}`")
            .at(wide));
    }
    let (left, default) = match default_mark(text) {
        None => (text, None),
        Some(mark) => {
            let right = &text[mark + 2..];
            if right.trim().is_empty() {
                return Err(Mistake::new("`??` has nothing after it").at(begin + mark..begin + mark + 2));
            }
            (text[..mark].trim_end(), Some(read_default(right, begin + mark + 2, depth)?))
        }
    };
    if left.is_empty() {
        return Err(Mistake::new("`??` has nothing before it").at(whole));
    }
    let source = read_source(left, begin, depth)?;
    Ok(Placeholder { name: left.to_owned(), source, default: default.map(Box::new) })
}

fn read_default(text: &str, at: usize, depth: usize) -> Result<Placeholder, Mistake> {
    let shown = text.trim();
    if let Ok(value) = serde_json::from_str::<Value>(shown) {
        return Ok(Placeholder { name: shown.to_owned(), source: Source::Literal(value), default: None });
    }
    read_placeholder(text, at, depth + 1).map_err(|_| {
        Mistake::new(format!("`{shown}` is no default"))
            .hint("a default is JSON (`\"Riga\"`, `0`, `[]`) or another path")
            .at(at..at + text.len())
    })
}

fn read_source(text: &str, at: usize, depth: usize) -> Result<Source, Mistake> {
    let whole = at..at + text.len();
    if text.starts_with('"') {
        let bad = |_| Mistake::new(format!("`{text}` is no string")).at(whole.clone());
        return serde_json::from_str::<String>(text)
            .map(|it| Source::Literal(Value::String(it)))
            .map_err(bad);
    }
    if text.starts_with("conv[") {
        return read_other(text, at, depth);
    }
    let text = match text {
        "this" | "." | "@root" => "params",
        _ => text,
    };
    // Outside of a block these say where a path begins anyway.
    let begins = ["@root.", "@root/", "this.", "this/", "./"].into_iter().find(|it| text.starts_with(it));
    let (text, at) = begins.map_or((text, at), |it| (&text[it.len()..], at + it.len()));
    if text.starts_with("../") {
        let mistake = Mistake::new(format!("`{text}` leads out of a block, and stands in none"));
        return Err(mistake.hint("write the name alone").at(whole));
    }
    let (mut keys, end) = read_keys(text, at, depth, true)?;
    debug_assert_eq!(end, text.len());
    let Some(root) = literal(&keys.remove(0)) else {
        return Err(Mistake::new("a name cannot begin with a placeholder")
            .hint("write `{{params.{{name}}}}`")
            .at(whole));
    };
    match root.as_str() {
        "conv" => Err(Mistake::new("`conv` names another task")
            .hint("write `{{conv[PROCESS].ref[REF].path}}`")
            .at(whole)),
        "secret" => match keys.as_slice() {
            [name] if literal(name).is_some() => Ok(Source::Secret(literal(name).unwrap_or_default())),
            _ => Err(Mistake::new("a secret is one literal name").hint("write `{{secret.NAME}}`").at(whole)),
        },
        _ => Ok(Source::Path { root, keys: settle(keys) }),
    }
}

fn read_other(text: &str, at: usize, depth: usize) -> Result<Source, Mistake> {
    let bad = |range: Range<usize>| {
        Mistake::new(format!("`{text}` does not name another task's param"))
            .hint("write `{{conv[PROCESS].ref[REF].path}}`")
            .at(at + range.start..at + range.end)
    };
    let open = "conv".len();
    let close = closing_bracket(text, open).ok_or_else(|| bad(0..text.len()))?;
    let process = read_pieces(&text[open + 1..close], at + open + 1, depth)?;
    let open = close + 1 + ".ref".len();
    if !text[close + 1..].starts_with(".ref[") {
        return Err(bad(close..text.len()));
    }
    let end = closing_bracket(text, open).ok_or_else(|| bad(open..text.len()))?;
    let reference = read_pieces(&text[open + 1..end], at + open + 1, depth)?;
    let rest = &text[end + 1..];
    let keys = if rest.is_empty() { Vec::new() } else { read_keys(rest, at + end + 1, depth, false)?.0 };
    let address = match (literal(&process), literal(&reference)) {
        (Some(process), Some(reference)) => Made::Known(
            address_of(&process, &reference).map_err(|it| Mistake::new(it.message).at(at..at + end + 1))?,
        ),
        _ => Made::Later { process, reference },
    };
    Ok(Source::Other { address, keys: settle(keys) })
}

/// Keys that are all literal need no making.
fn settle(keys: Vec<Pieces>) -> Keys {
    match keys.iter().map(|it| literal(it)).collect::<Option<Vec<String>>>() {
        Some(known) => Keys::Known(known),
        None => Keys::Later(keys),
    }
}

/// Reads `a.b[0].c`, or `.b[0].c` where nothing `first` is awaited.
fn read_keys(text: &str, at: usize, depth: usize, first: bool) -> Result<(Vec<Pieces>, usize), Mistake> {
    let mut keys = Vec::new();
    let mut here = 0;
    let mut name_next = first;
    while here < text.len() || name_next {
        let rest = &text[here..];
        if name_next && rest.starts_with('[') {
            // As handlebars writes a key: `a.[any key]`.
            let close = rest.find(']').filter(|it| *it > 1).ok_or_else(|| bad_path(text, at, here))?;
            keys.push(vec![Piece::Plain(rest[1..close].trim_matches('"').to_owned())]);
            here += close + 1;
            name_next = false;
        } else if name_next {
            let end = name_end(rest).map_err(|it| bad_path(text, at, here + it))?;
            if end == 0 {
                return Err(bad_path(text, at, here));
            }
            keys.push(read_pieces(&rest[..end], at + here, depth)?);
            here += end;
            name_next = false;
        } else if rest.starts_with('.') || (rest.starts_with('/') && here > 0) {
            here += 1;
            name_next = true;
        } else if rest.starts_with('[') {
            let close = closing_bracket(text, here).ok_or_else(|| bad_path(text, at, here))?;
            let inner = text[here + 1..close].trim();
            let key = match serde_json::from_str::<String>(inner) {
                Ok(key) => vec![Piece::Plain(key)],
                Err(_) if inner.is_empty() => return Err(bad_path(text, at, here)),
                Err(_) => read_pieces(inner, at + here + 1, depth)?,
            };
            keys.push(key);
            here = close + 1;
        } else {
            return Err(bad_path(text, at, here));
        }
    }
    Ok((keys, here))
}

/// Where a name with placeholders in it ends; an error is the place of what cannot stand in one.
fn name_end(text: &str) -> Result<usize, usize> {
    let mut here = 0;
    while let Some(it) = text[here..].chars().next() {
        match it {
            '.' | '[' | '/' => return Ok(here),
            '{' if text[here..].starts_with("{{") => {
                // What is open here was closed when the tag was found.
                here = scan::close(text, here + 2, false).ok_or(here)? + 2;
            }
            it if is_name_char(it) => here += it.len_utf8(),
            _ => return Err(here),
        }
    }
    Ok(here)
}

fn bad_path(text: &str, at: usize, here: usize) -> Mistake {
    let mistake = match text[here..].chars().next() {
        None => Mistake::new(format!("`{text}` ends where a name should follow")),
        Some(it) => Mistake::new(format!("`{text}` is no path: it has {it:?}")),
    };
    let sign = text[here..].trim_start().chars().next().unwrap_or_default();
    let mistake = match sign {
        it if is_typographic(it) => mistake.hint("quote with \" or '"),
        '+' | '-' | '*' | '/' | '%' | '=' | '<' | '>' | '!' | '~' | '&' => {
            mistake.hint("expressions begin with `=`: write `= a + b` instead of `{{ a + b }}`")
        }
        '|' => mistake.hint("filters belong to expressions, which begin with `=`"),
        '(' => mistake.hint("calls belong to expressions, which begin with `=`"),
        _ => mistake.hint("a path is written `a.b[0].c`; another key `a[\"the key\"]`"),
    };
    let end = text[here..].chars().next().map_or(here, |it| here + it.len_utf8());
    mistake.at(at + here..at + end)
}

fn read_pieces(text: &str, at: usize, depth: usize) -> Result<Pieces, Mistake> {
    if depth > DEPTH_MAX {
        return Err(Mistake::new("placeholders stand too deep in each other").at(at..at + text.len()));
    }
    let shift = |it: Mistake| match it.at.clone() {
        Some(range) => it.at(range.start + at..range.end + at),
        None => it,
    };
    let parts = scan::scan(text).map_err(shift)?;
    let pieces = parts.into_iter().map(|part| match part {
        scan::Part::Plain(text) => Ok(Piece::Plain(text.to_owned())),
        scan::Part::Tag(tag) => {
            let placeholder = read_placeholder(tag.inner, at + tag.at, depth + 1)?;
            if placeholder.is_secret() {
                let range = at + tag.whole.start..at + tag.whole.end;
                return Err(Mistake::new("a secret cannot be part of a name").at(range));
            }
            Ok(Piece::Placeholder(placeholder))
        }
    });
    pieces.collect()
}
