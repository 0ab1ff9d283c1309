//! Filters that look for regular expressions, as Ansible and Home Assistant have them.

use std::sync::Arc;

use minijinja::value::Value;
use minijinja::{Error, State};
use regex::Captures;

use crate::model::bridge::{BYTES_MAX, too_long};
use crate::model::budget::SLOT_BYTES;
use crate::model::carried::bad_value;
use crate::model::costs::{Cost, draw};
use crate::model::filters::given::Given;
use crate::model::filters::spec::{FilterSpec, own};
use crate::model::memo::pattern;
use crate::model::pattern::{Pattern, Way};

/// The most matches that are looked for.
const FOUND_MAX: usize = 100_000;

/// The filters.
#[rustfmt::skip]
pub(crate) static PATTERNS: [FilterSpec; 6] = [
    FilterSpec { name: "regex_replace", also: &[], cost: Cost::Whole, run: own(replace),
        takes: "pattern/find, replacement/replace=\"\", ignorecase=false, multiline=false, count=0",
        about: "with `replacement` for each match, in which `\\\\1` and `\\\\g<name>` are what a group found",
        example: (r#""a1b22"|regex_replace("[0-9]+", "-")"#, r#""a-b-""#) },
    FilterSpec { name: "regex_search", also: &[],
        takes: "pattern/find, *groups, ignorecase=false, multiline=false",
        cost: Cost::Whole, run: own(search),
        about: "the first match, or a list of what the groups `\"\\\\1\"`, `\"\\\\g<name>\"` found; \
            null if there is none",
        example: (r#""a1b22"|regex_search("[0-9]+")"#, r#""1""#) },
    FilterSpec { name: "regex_findall", also: &[], takes: "pattern/find, multiline=false, ignorecase=false",
        cost: Cost::Whole, run: own(find_all),
        about: "all matches, or what its groups found",
        example: (r#""a1b22"|regex_findall("[0-9]+")"#, r#"["1","22"]"#) },
    FilterSpec { name: "regex_findall_index", also: &[], takes: "pattern/find, index=0, ignorecase=false",
        cost: Cost::Whole, run: own(find_one), about: "one of those, by its number",
        example: (r#""a1b22"|regex_findall_index("[0-9]+", 1)"#, r#""22""#) },
    FilterSpec { name: "regex_match", also: &[], takes: "pattern/find, ignorecase=false, multiline=false",
        cost: Cost::Whole, run: own(|state, it| matches(state, it, true)),
        about: "whether it matches at the start", example: (r#""a1"|regex_match("[a-z]")"#, "true") },
    FilterSpec { name: "regex_escape", also: &[], takes: "", cost: Cost::Whole,
        run: own(|_, it| Ok(Value::from(regex::escape(&it.text(0)?)))),
        about: "so that it matches itself", example: (r#""a.b"|regex_escape"#, r#""a\\.b""#) },
];

/// Whether a text matches what stands in the brackets; at the start alone, or anywhere.
pub(crate) fn matches(state: &State, it: Given, at_start: bool) -> Result<Value, Error> {
    let (pattern, text) = (found(state, it, Way { at_start, ..way(it, 2, 3)? })?, it.text(0)?);
    pattern.pay(text.len())?;
    Ok(Value::from(pattern.regex.is_match(&text)))
}

fn way(it: Given, case: usize, lines: usize) -> Result<Way, Error> {
    let flag = |place| if it.has(place) { it.flag(place) } else { Ok(false) };
    Ok(Way { ignores_case: flag(case)?, by_lines: flag(lines)?, at_start: false })
}

fn found(state: &State, it: Given, way: Way) -> Result<Arc<Pattern>, Error> {
    pattern(state, &it.text(1)?, way)
}

fn replace(state: &State, it: Given) -> Result<Value, Error> {
    let pattern = found(state, it, way(it, 3, 4)?)?;
    let (text, by) = (it.text(0)?, pieces(&it.text(2)?)?);
    let count = match it.whole(5)? {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    pattern.pay(text.len())?;
    let (mut made, mut from) = (String::new(), 0);
    for captures in pattern.regex.captures_iter(&text).take(count) {
        let Some(whole) = captures.get(0) else { break };
        draw(2, 0)?;
        made.push_str(&text[from..whole.start()]);
        for piece in &by {
            made.push_str(piece.of(&captures)?);
        }
        if made.len() > BYTES_MAX {
            return Err(too_long());
        }
        from = whole.end();
    }
    made.push_str(&text[from..]);
    Ok(Value::from(made))
}

/// A piece of what stands in for a match.
enum Piece {
    Plain(String),
    Group(String),
}

impl Piece {
    fn of<'t>(&'t self, captures: &Captures<'t>) -> Result<&'t str, Error> {
        let name = match self {
            Piece::Plain(text) => return Ok(text),
            Piece::Group(name) => name,
        };
        group(captures, name).map(Option::unwrap_or_default)
    }
}

/// What a group found, if it took part.
fn group<'t>(captures: &Captures<'t>, name: &str) -> Result<Option<&'t str>, Error> {
    let found = match name.parse::<usize>() {
        Ok(number) if number < captures.len() => captures.get(number),
        Err(_) => captures.name(name),
        Ok(_) => return Err(bad_value(&format!("the regular expression has no group `{name}`"))),
    };
    Ok(found.map(|it| it.as_str()))
}

/// Reads `\1`, `\g<1>` and `\g<name>`; `\\` is one backslash, `\n` a new line, `\t` a tab.
fn pieces(text: &str) -> Result<Vec<Piece>, Error> {
    let mut made = vec![];
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let named = rest.strip_prefix("g<").and_then(|it| it.split_once('>'));
        let name = match (digits, named) {
            (1.., _) => {
                let (name, after) = rest.split_at(digits);
                rest = after;
                name
            }
            (_, Some((name, after))) => {
                rest = after;
                name
            }
            _ => {
                let letter = rest.chars().next().ok_or_else(|| bad_value("a replacement ends with `\\`"))?;
                plain.push(match letter {
                    'n' => '\n',
                    't' => '\t',
                    '\\' => '\\',
                    _ => return Err(bad_value(&format!("`\\{letter}` means nothing in a replacement"))),
                });
                rest = &rest[letter.len_utf8()..];
                continue;
            }
        };
        made.push(Piece::Plain(std::mem::take(&mut plain)));
        made.push(Piece::Group(name.to_owned()));
    }
    made.push(Piece::Plain(plain + rest));
    Ok(made)
}

fn search(state: &State, it: Given) -> Result<Value, Error> {
    let (pattern, text) = (found(state, it, way(it, 3, 4)?)?, it.text(0)?);
    pattern.pay(text.len())?;
    let groups = it.items(2)?;
    let Some(captures) = pattern.regex.captures(&text) else { return Ok(Value::from(())) };
    if groups.is_empty() {
        return Ok(captures.get(0).map_or(Value::from(()), |it| Value::from(it.as_str())));
    }
    let mut made = Vec::new();
    for wanted in groups {
        let written = wanted.as_str().unwrap_or_default();
        let name = written.strip_prefix("\\g<").and_then(|it| it.strip_suffix('>'));
        let Some(name) = name.or_else(|| written.strip_prefix('\\')) else {
            return Err(bad_value("a group is written `\"\\\\1\"` or `\"\\\\g<name>\"`"));
        };
        made.push(group(&captures, name)?.map_or(Value::from(()), Value::from));
    }
    Ok(Value::from(made))
}

fn find_all(state: &State, it: Given) -> Result<Value, Error> {
    let pattern = found(state, it, way(it, 3, 2)?)?;
    all(&pattern, it).map(Value::from)
}

fn all(pattern: &Pattern, it: Given) -> Result<Vec<Value>, Error> {
    let text = it.text(0)?;
    pattern.pay(text.len())?;
    let mut made = Vec::new();
    for captures in pattern.regex.captures_iter(&text) {
        draw(2, 2 * SLOT_BYTES)?;
        if made.len() >= FOUND_MAX {
            return Err(bad_value(&format!("more than {FOUND_MAX} matches")));
        }
        let of = |number| Value::from(captures.get(number).map_or("", |it| it.as_str()));
        made.push(match captures.len() {
            1 => of(0),
            2 => of(1),
            groups => Value::from((1..groups).map(of).collect::<Vec<Value>>()),
        });
    }
    Ok(made)
}

fn find_one(state: &State, it: Given) -> Result<Value, Error> {
    let pattern = found(state, it, way(it, 3, 4)?)?;
    let found = all(&pattern, it)?;
    let index = it.whole(2)?;
    let place = if index < 0 { index + i64::try_from(found.len()).unwrap_or(0) } else { index };
    let one = usize::try_from(place).ok().and_then(|it| found.get(it).cloned());
    one.ok_or_else(|| bad_value(&format!("there is no match {index}; {} were found", found.len())))
}
