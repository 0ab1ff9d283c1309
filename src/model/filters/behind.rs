//! Filters that only methods reach: `text.find("a")` is written so, and `text|find("a")` is not known.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, State};

use crate::model::bridge::{BYTES_MAX, too_long};
use crate::model::carried::bad_value;
use crate::model::costs::Cost;
use crate::model::filters::given::{Given, shown};
use crate::model::filters::spec::{FilterSpec, own};
use crate::model::filters::texts::trim;

/// The filters.
pub(crate) static BEHIND: [FilterSpec; 21] = [
    behind("m_lstrip", "chars?", |_, it| trim(it, true, false)),
    behind("m_rstrip", "chars?", |_, it| trim(it, false, true)),
    behind("m_rsplit", "sep?, maxsplit=-1", |_, it| split_behind(it)),
    behind("m_startswith", "prefix", |_, it| any(it, |text, end| text.starts_with(end))),
    behind("m_endswith", "suffix", |_, it| any(it, |text, end| text.ends_with(end))),
    behind("m_find", "sub", |_, it| Ok(Value::from(find(it)?.map_or(-1, |it| it)))),
    behind("m_index", "sub", |_, it| {
        find(it)?.map(Value::from).ok_or_else(|| bad_value(&format!("{} is not in it", shown(it.at(1)))))
    }),
    behind("m_count", "x", |_, it| count(it)),
    behind("m_isdigit", "", |_, it| all(it, |it| it.is_ascii_digit())),
    behind("m_isalpha", "", |_, it| all(it, char::is_alphabetic)),
    behind("m_isalnum", "", |_, it| all(it, char::is_alphanumeric)),
    behind("m_isspace", "", |_, it| all(it, char::is_whitespace)),
    behind("m_islower", "", |_, it| cased(it, char::is_lowercase, char::is_uppercase)),
    behind("m_isupper", "", |_, it| cased(it, char::is_uppercase, char::is_lowercase)),
    behind("m_swapcase", "", |_, it| swapcase(it)),
    behind("m_partition", "sep", |_, it| partition(it)),
    behind("m_zfill", "width", |_, it| zfill(it)),
    behind("m_ljust", "width, fillchar=\" \"", |_, it| just(it, false)),
    behind("m_rjust", "width, fillchar=\" \"", |_, it| just(it, true)),
    behind("m_removeprefix", "prefix", |_, it| {
        let (text, prefix) = (it.text(0)?, it.text(1)?);
        Ok(Value::from(text.strip_prefix(&*prefix).unwrap_or(&text)))
    }),
    behind("m_removesuffix", "suffix", |_, it| {
        let (text, suffix) = (it.text(0)?, it.text(1)?);
        Ok(Value::from(text.strip_suffix(&*suffix).unwrap_or(&text)))
    }),
];

const fn behind(
    name: &'static str,
    takes: &'static str,
    run: fn(&State, Given) -> Result<Value, Error>,
) -> FilterSpec {
    FilterSpec { name, also: &[], takes, about: "", example: ("", ""), cost: Cost::Whole, run: own(run) }
}

fn any(it: Given, is_so: fn(&str, &str) -> bool) -> Result<Value, Error> {
    let text = it.text(0)?;
    if matches!(it.at(1).kind(), ValueKind::Seq | ValueKind::Iterable) {
        let ends = it.items(1)?;
        return Ok(ends.iter().any(|end| end.as_str().is_some_and(|end| is_so(&text, end))).into());
    }
    Ok(Value::from(is_so(&text, &it.text(1)?)))
}

/// The place of the first one, in characters of a text or items of a list.
fn find(it: Given) -> Result<Option<i64>, Error> {
    let place = match it.at(0).kind() {
        ValueKind::Seq | ValueKind::Iterable => it.items(0)?.iter().position(|item| item == it.at(1)),
        _ => {
            let text = it.text(0)?;
            text.find(&*it.text(1)?).map(|at| text[..at].chars().count())
        }
    };
    Ok(place.and_then(|it| i64::try_from(it).ok()))
}

fn count(it: Given) -> Result<Value, Error> {
    let count = match it.at(0).kind() {
        ValueKind::Seq | ValueKind::Iterable => it.items(0)?.iter().filter(|item| *item == it.at(1)).count(),
        _ => it.text(0)?.matches(&*it.text(1)?).count(),
    };
    Ok(Value::from(count))
}

fn all(it: Given, is_so: fn(char) -> bool) -> Result<Value, Error> {
    let text = it.text(0)?;
    Ok(Value::from(!text.is_empty() && text.chars().all(is_so)))
}

fn cased(it: Given, is_so: fn(char) -> bool, is_other: fn(char) -> bool) -> Result<Value, Error> {
    let text = it.text(0)?;
    Ok(Value::from(text.chars().any(is_so) && !text.chars().any(is_other)))
}

fn split_behind(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let Some(between) = it.maybe(1)? else {
        return Err(bad_value("`rsplit` takes a text; hint: `split` without one splits at blanks"));
    };
    if between.is_empty() {
        return Err(bad_value("a text cannot be split at nothing"));
    }
    let splits = usize::try_from(it.whole(2)?).unwrap_or(usize::MAX - 1);
    let mut pieces: Vec<Value> = text.rsplitn(splits + 1, &*between).map(Value::from).collect();
    pieces.reverse();
    Ok(Value::from(pieces))
}

fn swapcase(it: Given) -> Result<Value, Error> {
    let swap = |letter: char| -> String {
        match letter.is_uppercase() {
            true => letter.to_lowercase().collect(),
            false => letter.to_uppercase().collect(),
        }
    };
    Ok(Value::from(it.text(0)?.chars().map(swap).collect::<String>()))
}

fn partition(it: Given) -> Result<Value, Error> {
    let (text, between) = (it.text(0)?, it.text(1)?);
    let parts = match text.split_once(&*between) {
        Some((before, after)) => [before, &between, after],
        None => [&text, "", ""],
    };
    Ok(Value::from(parts.map(Value::from).to_vec()))
}

fn zfill(it: Given) -> Result<Value, Error> {
    let (text, width) = (it.text(0)?, it.width(1)?);
    let sign = if text.starts_with(['+', '-']) { &text[..1] } else { "" };
    let zeros = "0".repeat(width.saturating_sub(text.chars().count()));
    Ok(Value::from(format!("{sign}{zeros}{}", &text[sign.len()..])))
}

fn just(it: Given, is_right: bool) -> Result<Value, Error> {
    let (text, width, fill) = (it.text(0)?, it.width(1)?, it.text(2)?);
    if fill.chars().count() != 1 {
        return Err(bad_value("what fills up is one character"));
    }
    let fill = fill.repeat(width.saturating_sub(text.chars().count()));
    if text.len() + fill.len() > BYTES_MAX {
        return Err(too_long());
    }
    Ok(Value::from(if is_right { format!("{fill}{text}") } else { format!("{text}{fill}") }))
}
