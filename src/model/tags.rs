//! Rewrites a text with blocks and helpers so that handlebars reads nothing but the items of its own blocks:
//! every other path becomes a call of one of our words with the number of a [`Placeholder`].

use std::collections::BTreeSet;

use crate::model::helper_names::{LOGIC, is_helper, no_helper};
use crate::model::look::is_name_char;
use crate::model::mistake::Mistake;
use crate::model::near::nearest;
use crate::model::placeholder::Placeholder;
use crate::model::scan::{Part, Tag, argument_end, closing_bracket, default_mark, string_end};
use crate::model::scope::RESERVED;

pub(crate) const PLACEHOLDER: &str = "bl_placeholder";
pub(crate) const RAW: &str = "bl_raw";
pub(crate) const OUT: &str = "bl_out";
pub(crate) const RAW_OUT: &str = "bl_raw_out";
pub(crate) const OR: &str = "bl_or";
pub(crate) const GET: &str = "bl_get";
pub(crate) const SOFT: &str = "bl_soft";
pub(crate) const TRUTH: &str = "bl_truth";
pub(crate) const LENGTH: &str = "bl_length";
pub(crate) const MANY: &str = "bl_many";
/// Makes no value: it draws on the budget for a block that begins. Blocks read their first argument alone,
/// so it stands as the second.
pub(crate) const PAID: &str = "bl_paid";

const BLOCKS: [&str; 4] = ["if", "unless", "each", "with"];

/// The longest text with blocks, in bytes, and how deep blocks may stand in each other: the parser recurs.
const BYTES_MAX: usize = 64 * 1024;
const DEPTH_MAX: usize = 12;

/// A text for handlebars, and what its numbers mean.
#[derive(Debug, Default)]
pub(crate) struct Rewritten {
    pub source: String,
    pub placeholders: Vec<Placeholder>,
    /// It says `../`, and so needs the params as handlebars' data.
    pub reads_up: bool,
    /// Which placeholders only decide.
    pub soft: BTreeSet<usize>,
}

/// Whether a tag is more than a placeholder.
pub(crate) fn is_more(tag: &Tag) -> bool {
    let body = tag.inner.trim().trim_start_matches('~').trim_start();
    let (word, rest) = word(body);
    let rest = rest.trim_start();
    body.starts_with(['#', '/', '^', '!', '>', '*', '&'])
        || tag.inner.starts_with('~')
        || tag.inner.ends_with('~')
        || (word == "else" && (rest.is_empty() || !rest.starts_with(['.', '[', '?'])))
        || (is_helper(word) && is_argument(body, word))
}

/// Whether something that can be an argument follows the word.
fn is_argument(body: &str, word: &str) -> bool {
    let rest = &body[word.len()..];
    let next = rest.trim_start();
    rest.starts_with(char::is_whitespace)
        && next.starts_with(|it: char| is_name_char(it) || matches!(it, '"' | '\'' | '(' | '.'))
}

/// What to say of a tag that looks like the call of a helper there is not; nothing if it does not.
pub(crate) fn unknown_helper(tag: &Tag) -> Option<Mistake> {
    let body = tag.inner.trim();
    let (name, _) = word(body);
    if name.is_empty() || !is_argument(body, name) || body[name.len()..].trim_start().starts_with('-') {
        return None;
    }
    let begin = tag.at + tag.inner.len() - tag.inner.trim_start().len();
    Some(no_helper(name, begin))
}

/// The leading name of a text, and the rest.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|it: char| !is_name_char(it)).unwrap_or(text.len()))
}

/// Rewrites the parts of a text.
pub(crate) fn rewrite(text: &str, parts: &[Part]) -> Result<Rewritten, Mistake> {
    if text.len() > BYTES_MAX {
        return Err(Mistake::new(format!("a text with blocks has at most {BYTES_MAX} bytes")));
    }
    let mut writer = Writer::default();
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Plain(plain) => writer.plain(plain)?,
            // A placeholder at the very start of a URL is taken as it is.
            Part::Tag(tag) => writer.tag(&Tag { raw: tag.raw || index == 0, ..tag.clone() })?,
        }
    }
    match writer.open.pop() {
        Some(open) => Err(Mistake::new(format!("`{{{{#{}}}}}` is never closed", open.name))
            .hint(format!("close it with `{{{{/{}}}}}`", open.name))
            .at(open.whole)),
        None => Ok(writer.out),
    }
}

#[derive(Default)]
struct Writer {
    out: Rewritten,
    open: Vec<Open>,
}

/// A block that is open.
struct Open {
    name: String,
    whole: std::ops::Range<usize>,
    /// Names in it are first of all those of its item.
    scoped: bool,
    /// `as |these|`.
    bound: Vec<String>,
}

/// What a path is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    Value,
    /// `#if` and its like: what is missing is false.
    Truth,
    /// The same, and 0 is true.
    Number,
    /// `#each`.
    Many,
}

impl Writer {
    fn plain(&mut self, plain: &str) -> Result<(), Mistake> {
        // Before braces these would mean something to handlebars; what they meant to us was read before.
        if plain.ends_with(['\\', '{']) {
            let body = plain.trim_end_matches(['\\', '{']);
            self.out.source.push_str(body);
            let quoted = serde_json::Value::String(plain[body.len()..].to_owned()).to_string();
            let number = self.keep(Placeholder::path(&quoted, 0)?);
            self.push(&format!("{{{{{RAW} {number}}}}}"));
        } else {
            self.push(plain);
        }
        Ok(())
    }

    fn push(&mut self, text: &str) {
        self.out.source.push_str(text);
    }

    fn keep(&mut self, placeholder: Placeholder) -> usize {
        self.out.placeholders.push(placeholder);
        self.out.placeholders.len() - 1
    }

    fn is_scoped(&self) -> bool {
        self.open.iter().any(|it| it.scoped)
    }

    fn tag(&mut self, tag: &Tag) -> Result<(), Mistake> {
        let inner = tag.inner;
        let left = inner.starts_with('~');
        let right = inner.len() > 1 && inner.ends_with('~');
        if inner.trim_start_matches('~').starts_with('!') {
            // Handlebars takes the line with it, if nothing else is there; with a `~` it knows no comment.
            let number = self.keep(Placeholder::path("\"\"", 0)?);
            match (left, right) {
                (false, false) => self.push("{{!-- --}}"),
                (true, false) => self.push(&format!("{{{{~{RAW} {number}}}}}")),
                (false, true) => self.push(&format!("{{{{{RAW} {number}~}}}}")),
                (true, true) => self.push(&format!("{{{{~{RAW} {number}~}}}}")),
            }
            return Ok(());
        }
        let body = inner.strip_prefix('~').unwrap_or(inner);
        let body = if right { &body[..body.len() - 1] } else { body };
        let at = tag.at + usize::from(left) + body.len() - body.trim_start().len();
        let body = body.trim();
        let made = match body.chars().next() {
            Some('#') => self.begin(tag, &body[1..], at + 1)?,
            Some('/') => self.end(tag, body[1..].trim())?,
            Some('^') if body == "^" => self.turn(tag, "", at)?,
            Some('&') => {
                let body = body[1..].trim_start();
                self.placeholder(&Tag { raw: true, ..tag.clone() }, body, at + 1)?
            }
            Some('>' | '*' | '^') => {
                let hint = match body.trim_start_matches(['^', ' ']) {
                    _ if body.starts_with('>') => "there are no partials: write the text here",
                    rest if body.starts_with('^') && rest.starts_with("if ") => {
                        "write `{{#unless x}}…{{/unless}}`"
                    }
                    _ => "blocks are `#if`, `#unless`, `#each` and `#with`",
                };
                return Err(Mistake::new(format!("`{{{{{body}}}}}` is not known here"))
                    .hint(hint)
                    .at(tag.whole.clone()));
            }
            _ => match word(body) {
                ("else", rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => {
                    self.turn(tag, rest, at + "else".len())?
                }
                (name, rest) if is_helper(name) && is_argument(body, name) => {
                    let word = if name == "urlencode" || tag.raw { RAW_OUT } else { OUT };
                    let need = if LOGIC.contains(&name) { Need::Truth } else { Need::Value };
                    let arguments = self.arguments(rest, at + name.len(), need)?;
                    format!("{word} ({name}{arguments})")
                }
                _ => self.placeholder(tag, body, at)?,
            },
        };
        let (left, right) = (if left { "~" } else { "" }, if right { "~" } else { "" });
        self.push(&format!("{{{{{left}{made}{right}}}}}"));
        Ok(())
    }

    fn begin(&mut self, tag: &Tag, body: &str, at: usize) -> Result<String, Mistake> {
        let (name, rest) = word(body);
        if !BLOCKS.contains(&name) {
            let hint = match nearest(name, BLOCKS) {
                Some(near) => format!("did you mean `{{{{#{near} …}}}}`?"),
                None if name.is_empty() => "there are no partials: write the text here".to_owned(),
                None => format!("write `{{{{#if {name}}}}}`, or `{{{{#each {name}}}}}` for every item"),
            };
            let wrong = Mistake::new(format!("unknown block `{name}`"));
            return Err(wrong.hint(hint).at(at..at + name.len()));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(Mistake::new("blocks stand too deep in each other").at(tag.whole.clone()));
        }
        let (arguments, bound) = split_bound(rest, at + name.len())?;
        if arguments.trim().is_empty() {
            return Err(Mistake::new(format!("`#{name}` of what?")).at(tag.whole.clone()));
        }
        let need = need_of(name);
        let (arguments, need) = match arguments.trim_end().rsplit_once(" includeZero=") {
            Some((rest, "true")) if need == Need::Truth => (rest, Need::Number),
            Some((rest, "false")) if need == Need::Truth => (rest, need),
            _ => (arguments, need),
        };
        let mut made = self.arguments(arguments, at + name.len(), need)?;
        let of_item = match arguments.trim().starts_with(['(', '"', '\'']) {
            true => None,
            false => self.block_path(arguments.trim(), at + name.len())?,
        };
        made.extend([" (", PAID, " ", of_item.as_deref().unwrap_or("0"), ")"]);
        let scoped = matches!(name, "each" | "with");
        let bound_text = if bound.is_empty() { String::new() } else { format!(" as |{}|", bound.join(" ")) };
        self.open.push(Open { name: name.to_owned(), whole: tag.whole.clone(), scoped, bound });
        Ok(format!("#{name}{made}{bound_text}"))
    }

    fn turn(&mut self, tag: &Tag, rest: &str, at: usize) -> Result<String, Mistake> {
        let Some(open) = self.open.last_mut() else {
            return Err(Mistake::new("`{{else}}` stands in no block").at(tag.whole.clone()));
        };
        // What stands in the else of an `#each` has no item.
        open.scoped = false;
        open.bound.clear();
        let body = rest.trim_start();
        if body.is_empty() {
            return Ok("else".to_owned());
        }
        let (name, arguments) = word(body);
        if !matches!(name, "if" | "unless") || arguments.trim().is_empty() {
            return Err(Mistake::new(format!("`else {body}` is not known"))
                .hint("`{{else if x}}`")
                .at(tag.whole.clone()));
        }
        let begin = at + rest.len() - body.len() + name.len();
        let made = self.arguments(arguments, begin, Need::Truth)?;
        Ok(format!("else {name}{made} ({PAID} 0)"))
    }

    fn end(&mut self, tag: &Tag, name: &str) -> Result<String, Mistake> {
        match self.open.pop() {
            Some(open) if open.name == name => Ok(format!("/{name}")),
            Some(open) => Err(Mistake::new(format!("`{{{{/{name}}}}}` closes `{{{{#{}}}}}`", open.name))
                .at(tag.whole.clone())),
            None => Err(Mistake::new(format!("`{{{{/{name}}}}}` closes nothing")).at(tag.whole.clone())),
        }
    }

    fn placeholder(&mut self, tag: &Tag, body: &str, at: usize) -> Result<String, Mistake> {
        let left = default_mark(body).map_or(body, |it| body[..it].trim_end());
        if let Some(path) = self.block_path(left, at)? {
            let word = if tag.raw { RAW_OUT } else { OUT };
            return match default_mark(body) {
                None => Ok(format!("{word} {path}")),
                Some(mark) => {
                    let number = self.keep(Placeholder::path(&body[mark + 2..], at + mark + 2)?);
                    Ok(format!("{OR} {path} {number}"))
                }
            };
        }
        let placeholder = Placeholder::path(body, at).map_err(|it| unknown_helper(tag).unwrap_or(it))?;
        let number = self.keep(placeholder);
        Ok(format!("{} {number}", if tag.raw { RAW } else { PLACEHOLDER }))
    }

    /// Arguments as handlebars takes them, each with a space before it.
    fn arguments(&mut self, text: &str, at: usize, need: Need) -> Result<String, Mistake> {
        let mut made = String::new();
        let mut needs = vec![need];
        let mut here = 0;
        while let Some(it) = text[here..].chars().next() {
            let rest = &text[here..];
            let end = match it {
                it if it.is_whitespace() => it.len_utf8(),
                '(' => {
                    let (name, after) = word(rest[1..].trim_start());
                    let place = at + here + 1;
                    if !is_helper(name) {
                        return Err(no_helper(name, place));
                    }
                    if needs.len() >= DEPTH_MAX {
                        let message = format!("more than {DEPTH_MAX} helpers stand in each other");
                        let mistake = Mistake::new(message).at(place..place + name.len());
                        return Err(
                            mistake.hint("keep what the inner ones make in a param, by a `set` before")
                        );
                    }
                    made.extend([" (", name]);
                    let need = if LOGIC.contains(&name) { Need::Truth } else { Need::Value };
                    needs.push(need);
                    rest.len() - after.len()
                }
                ')' if needs.len() > 1 => {
                    needs.pop();
                    made.push(')');
                    1
                }
                quote @ ('"' | '\'') => {
                    let end = string_end(rest, quote).ok_or_else(|| {
                        Mistake::new("a string is never closed").at(at + here..at + text.len())
                    })?;
                    made.extend([" ", &rest[..end]]);
                    end
                }
                _ => {
                    let end = argument_end(rest);
                    let need = needs.last().copied().unwrap_or(need);
                    let argument = self.argument(&rest[..end], at + here, need)?;
                    made.extend([" ", &argument]);
                    end
                }
            };
            here += end;
        }
        match needs.len() {
            1 => Ok(made),
            _ => Err(Mistake::new("`(` is never closed").at(at..at + text.len())),
        }
    }

    fn argument(&mut self, text: &str, at: usize, need: Need) -> Result<String, Mistake> {
        let whole = at..at + text.len();
        let is_number =
            text.parse::<f64>().is_ok() && text.starts_with(|it: char| it.is_ascii_digit() || it == '-');
        if matches!(text, "true" | "false" | "null") || is_number {
            return Ok(text.to_owned());
        }
        if text.contains('=') {
            let hint = "only `#if x includeZero=true` has one; the rest is for a `set` before";
            return Err(Mistake::new(format!("`{text}`: helpers take no named arguments"))
                .hint(hint)
                .at(whole));
        }
        let zero = if need == Need::Number { " true" } else { "" };
        if let Some(path) = self.block_path(text, at)? {
            return Ok(match need {
                Need::Truth | Need::Number => {
                    // What has no length has none, and is false.
                    let path = path.replace(&format!("({LENGTH} "), &format!("({LENGTH} true "));
                    format!("({TRUTH} {path}{zero})")
                }
                Need::Value | Need::Many => path,
            });
        }
        let placeholder = Placeholder::path(text, at)?;
        if placeholder.is_secret() {
            return Err(Mistake::new("a secret cannot be used in a block or a helper")
                .hint("only as a placeholder of its own, `{{secret.NAME}}`")
                .at(whole));
        }
        let word = match need {
            Need::Value => GET,
            Need::Truth | Need::Number => SOFT,
            Need::Many => MANY,
        };
        let number = self.keep(placeholder);
        if matches!(need, Need::Truth | Need::Number) {
            self.out.soft.insert(number);
        }
        Ok(format!("({word} {number}{zero})"))
    }

    /// The path as handlebars reads it, if it depends on the item of a block.
    fn block_path(&mut self, text: &str, at: usize) -> Result<Option<String>, Mistake> {
        let root = word(text).0;
        let is_own = matches!(root, "@root") || text.starts_with("conv[") || text.starts_with('"');
        let is_bound = self.open.iter().any(|open| open.bound.iter().any(|it| it == root));
        let is_item = matches!(root, "this") || text.starts_with(['@', '.']);
        if !self.is_scoped() || is_own || (RESERVED.contains(&root) && !is_bound) {
            return Ok(None);
        }
        let bad = || {
            let hint = match text.starts_with("@../") {
                true => "name what is needed inside: `{{#each rows as |row i|}}` and then `{{i}}`",
                false => "in `#each` and `#with` a path is `name`, `this.name`, `@index`, `params.name`",
            };
            Mistake::new(format!("`{text}` is no path in a block")).hint(hint).at(at..at + text.len())
        };
        if text == "." || text == "this" {
            return Ok(Some("this".to_owned()));
        }
        let mut made = String::new();
        let mut rest = text;
        while let Some(after) = rest.strip_prefix("../") {
            made.push_str("../");
            self.out.reads_up = true;
            rest = after;
        }
        rest = rest.strip_prefix("./").unwrap_or(rest);
        if !is_item && !is_bound {
            made.push_str("this.");
        }
        let mut is_first = true;
        while !rest.is_empty() {
            let (key, after) = if let Some(inner) = rest.strip_prefix('[') {
                let close = closing_bracket(rest, 0).ok_or_else(bad)?;
                (inner[..close - 1].trim().trim_matches('"'), &rest[close + 1..])
            } else {
                word(rest)
            };
            if key.is_empty() || key.contains(['{', '}', '[', ']']) {
                return Err(bad());
            }
            let is_plain =
                is_first && (is_item || is_bound) && !key.starts_with(|it: char| it.is_ascii_digit());
            made.extend(if is_plain { ["", key, ""] } else { ["[", key, "]"] });
            is_first = false;
            rest = match after.chars().next() {
                Some('.' | '/') if after.len() > 1 => &after[1..],
                Some('[') | None => after,
                Some(_) => return Err(bad()),
            };
            if !rest.is_empty() {
                made.push('.');
            }
        }
        let above = made.strip_suffix(".[length]").filter(|it| !it.ends_with("..") && !it.is_empty());
        Ok(Some(above.map(|above| format!("({LENGTH} {above})")).unwrap_or(made)))
    }
}

fn need_of(block: &str) -> Need {
    match block {
        "if" | "unless" => Need::Truth,
        "each" => Need::Many,
        _ => Need::Value,
    }
}

/// Splits off `as |item index|`.
fn split_bound(text: &str, at: usize) -> Result<(&str, Vec<String>), Mistake> {
    let Some(open) = text.find(" as |") else {
        return Ok((text, Vec::new()));
    };
    let names: Vec<String> =
        text[open + 5..].trim_end().trim_end_matches('|').split_whitespace().map(str::to_owned).collect();
    let good = |it: &String| it.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    if names.is_empty() || names.len() > 2 || !names.iter().all(good) {
        return Err(Mistake::new("`as |item index|` takes one or two names").at(at + open..at + text.len()));
    }
    Ok((&text[..open], names))
}
