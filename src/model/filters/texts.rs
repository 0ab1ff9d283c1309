//! Filters of texts. What they work on is written as everywhere: numbers, lists and maps as JSON.

use std::borrow::Cow;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::model::bridge::{BYTES_MAX, text_of, too_long};
use crate::model::budget::many;
use crate::model::carried::bad_value;
use crate::model::costs::{Cost, draw, whole};
use crate::model::filters::given::{Given, items};
use crate::model::filters::spec::{FilterSpec, own};

/// The filters.
#[rustfmt::skip]
pub(crate) static TEXTS: [FilterSpec; 18] = [
    FilterSpec { name: "string", also: &[], takes: "", cost: Cost::Whole, run: own(|_, it| string(it)),
        about: "the value as it stands in a text", example: ("[1, true]|string", r#""[1,true]""#) },
    FilterSpec { name: "lower", also: &[], takes: "", cost: Cost::Whole,
        run: own(|_, it| Ok(it.text(0)?.to_lowercase().into())),
        about: "in small letters", example: ("\"Riga\"|lower", r#""riga""#) },
    FilterSpec { name: "upper", also: &[], takes: "", cost: Cost::Whole,
        run: own(|_, it| Ok(it.text(0)?.to_uppercase().into())),
        about: "in capitals", example: ("\"Riga\"|upper", r#""RIGA""#) },
    FilterSpec { name: "capitalize", also: &[], takes: "",
        cost: Cost::Whole, run: own(|_, it| capitalize(it)),
        about: "the first letter a capital, all others small",
        example: ("\"new YORK\"|capitalize", r#""New york""#) },
    FilterSpec { name: "title", also: &[], takes: "", cost: Cost::Whole, run: own(|_, it| title(it)),
        about: "each word with a capital", example: ("\"new york\"|title", r#""New York""#) },
    FilterSpec { name: "trim", also: &[], takes: "chars?", cost: Cost::Whole,
        run: own(|_, it| trim(it, true, true)),
        about: "without blanks, or these characters, at both ends", example: ("\" a \"|trim", r#""a""#) },
    FilterSpec { name: "replace", also: &[], takes: "old, new, count?", cost: Cost::Whole,
        run: own(|_, it| replace(it)),
        about: "with `new` for every `old`, or the first `count` of them",
        example: ("\"a-b-c\"|replace(\"-\", \"+\", 1)", r#""a+b-c""#) },
    FilterSpec { name: "split", also: &[], takes: "sep/split?, maxsplit/maxsplits=-1", cost: Cost::Pieces,
        run: own(|_, it| split(it)), about: "the pieces between `sep`, or between blanks",
        example: ("\"a,b\"|split(\",\")", r#"["a","b"]"#) },
    FilterSpec { name: "lines", also: &["splitlines"], takes: "",
        cost: Cost::Pieces, run: own(|_, it| lines(it)),
        about: "its lines", example: ("\"a\\nb\"|lines", r#"["a","b"]"#) },
    FilterSpec { name: "join", also: &[], takes: "between/d=\"\", attribute?", cost: Cost::Items,
        run: own(|_, it| join(it)),
        about: "the items, or that attribute of them, as one text; null among them is a fault",
        example: ("[1, true, \"a\"]|join(\"-\")", r#""1-true-a""#) },
    FilterSpec { name: "truncate", also: &[], takes: "length=255, killwords=false, end=\"...\", leeway=5",
        cost: Cost::Whole,
        run: own(|_, it| truncate(it)), about: "cut to so many characters, between words unless `killwords`",
        example: ("\"one two three\"|truncate(9, leeway=0)", r#""one...""#) },
    FilterSpec { name: "wordcount", also: &[], takes: "", cost: Cost::Whole, run: own(|_, it| wordcount(it)),
        about: "how many words", example: ("\"one two\"|wordcount", "2") },
    FilterSpec { name: "center", also: &[], takes: "width=80",
        cost: Cost::Whole, run: own(|_, it| center(it)),
        about: "with blanks on both sides", example: ("\"a\"|center(3)", r#"" a ""#) },
    FilterSpec { name: "indent", also: &[], takes: "width=4, first=false, blank=false", cost: Cost::Whole,
        run: own(|_, it| indent(it)), about: "every line but the first moved to the right",
        example: ("\"a\\nb\"|indent(2)", r#""a\n  b""#) },
    FilterSpec { name: "escape", also: &["e", "forceescape"], takes: "", cost: Cost::Whole,
        run: own(|_, it| escape(it)),
        about: "for HTML", example: ("\"a<b\"|escape", r#""a&lt;b""#) },
    FilterSpec { name: "striptags", also: &[], takes: "", cost: Cost::Whole, run: own(|_, it| striptags(it)),
        about: "without HTML tags, blanks made one", example: ("\"<b>a</b>  b\"|striptags", r#""a b""#) },
    FilterSpec { name: "basename", also: &[], takes: "", cost: Cost::Whole,
        run: own(|_, it| Ok(it.text(0)?.rsplit('/').next().unwrap_or_default().into())),
        about: "what follows the last slash", example: ("\"/a/b.txt\"|basename", r#""b.txt""#) },
    FilterSpec { name: "dirname", also: &[], takes: "", cost: Cost::Whole, run: own(|_, it| dirname(it)),
        about: "what stands before the last slash", example: ("\"/a/b.txt\"|dirname", r#""/a""#) },
];

fn string(it: Given) -> Result<Value, Error> {
    it.text(0).map(|text| Value::from(text.into_owned()))
}

fn capitalize(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    Ok(Value::from(first + &chars.as_str().to_lowercase()))
}

fn title(it: Given) -> Result<Value, Error> {
    let mut made = String::new();
    let mut is_first = true;
    for letter in it.text(0)?.chars() {
        match is_first {
            true => made.extend(letter.to_uppercase()),
            false => made.extend(letter.to_lowercase()),
        }
        is_first = letter.is_whitespace() || matches!(letter, '-' | '(' | '{' | '[' | '<');
    }
    Ok(Value::from(made))
}

/// Without blanks, or what stands in the brackets, at these ends.
pub(crate) fn trim(it: Given, left: bool, right: bool) -> Result<Value, Error> {
    let text = it.text(0)?;
    let chars: Option<Vec<char>> = it.maybe(1)?.map(|it| it.chars().collect());
    let goes = |letter: char| chars.as_ref().map_or(letter.is_whitespace(), |it| it.contains(&letter));
    draw(many(text.len() / 8).saturating_mul(many(chars.as_ref().map_or(1, Vec::len))), 0)?;
    let text = if left { text.trim_start_matches(goes) } else { &text };
    Ok(Value::from(if right { text.trim_end_matches(goes) } else { text }))
}

fn replace(it: Given) -> Result<Value, Error> {
    let (text, old, new) = (it.text(0)?, it.text(1)?, it.text(2)?);
    let count = if it.has(3) { usize::try_from(it.whole(3)?).unwrap_or(usize::MAX) } else { usize::MAX };
    let found = text.matches(&*old).take(count).count();
    let bytes = found.saturating_mul(new.len()).saturating_add(text.len());
    if bytes > BYTES_MAX { Err(too_long()) } else { Ok(text.replacen(&*old, &new, count).into()) }
}

fn split(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let splits = usize::try_from(it.whole(2)?).unwrap_or(usize::MAX - 1);
    let pieces: Vec<Value> = match it.maybe(1)? {
        Some(between) if between.is_empty() => {
            return Err(bad_value("a text cannot be split at nothing; hint: `|list` gives its characters"));
        }
        Some(between) => text.splitn(splits + 1, &*between).map(Value::from).collect(),
        None => words(&text, splits),
    };
    Ok(Value::from(pieces))
}

fn words(text: &str, splits: usize) -> Vec<Value> {
    let mut made = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).filter(|_| made.len() < splits).unwrap_or(rest.len());
        made.push(Value::from(&rest[..end]));
        rest = rest[end..].trim_start();
    }
    made
}

fn lines(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let one = text.replace("\r\n", "\n").replace('\r', "\n");
    Ok(Value::from(one.lines().map(Value::from).collect::<Vec<Value>>()))
}

fn join(it: Given) -> Result<Value, Error> {
    let between = it.text(1)?;
    let attribute = it.maybe(2)?;
    let mut text = String::new();
    let list = it.at(0);
    if !matches!(list.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::String) {
        items(list)?;
    }
    for (index, item) in list.try_iter()?.enumerate() {
        if index > 0 {
            text.push_str(&between);
        }
        let item = match &attribute {
            Some(path) => dig(&item, path)?,
            None => item,
        };
        whole(&item, 1)?;
        if item.is_none() || item.is_undefined() {
            let hint = "hint: leave nulls out with `|reject(\"none\")`";
            return Err(bad_value(&format!(
                "item {} of the list is null, and cannot be joined; {hint}",
                index + 1
            )));
        }
        text.push_str(&text_of(&item)?);
        if text.len() > BYTES_MAX {
            return Err(too_long());
        }
    }
    Ok(Value::from(text))
}

/// What stands at a path such as `a.b.0`; nothing is undefined.
pub(crate) fn dig(value: &Value, path: &str) -> Result<Value, Error> {
    path.split('.').try_fold(value.clone(), |it, step| match step.parse::<i64>() {
        Ok(number) if it.kind() != ValueKind::Map => it.get_item(&Value::from(number)),
        _ => it.get_item(&Value::from(step)),
    })
}

fn truncate(it: Given) -> Result<Value, Error> {
    let (text, kill, end) = (it.text(0)?, it.flag(2)?, it.text(3)?);
    let (length, leeway) = (it.size(1, 0, i64::from(u32::MAX))?, it.size(4, 0, i64::from(u32::MAX))?);
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(Value::from(text.into_owned()));
    }
    let Some(left) = length.checked_sub(end.chars().count()) else {
        return Err(bad_value(&format!("{length} characters do not hold {end:?}")));
    };
    let cut = text.char_indices().nth(left).map_or(&*text, |(at, _)| &text[..at]);
    let cut = if kill { cut } else { cut.rfind(' ').map_or(cut, |at| &cut[..at]) };
    Ok(Value::from(format!("{cut}{end}")))
}

fn wordcount(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    Ok(Value::from(text.split(|it| !is_word(it)).filter(|it| !it.is_empty()).count()))
}

fn center(it: Given) -> Result<Value, Error> {
    let (text, width) = (it.text(0)?, it.width(1)?);
    let pad = width.saturating_sub(text.chars().count());
    let left = pad / 2 + (pad & width & 1);
    Ok(Value::from(format!("{}{text}{}", " ".repeat(left), " ".repeat(pad - left))))
}

fn indent(it: Given) -> Result<Value, Error> {
    let (text, first, blank) = (it.text(0)?, it.flag(2)?, it.flag(3)?);
    let by = match it.at(1).as_str() {
        Some(by) => Cow::Borrowed(by),
        None => Cow::Owned(" ".repeat(it.width(1)?)),
    };
    let lines = text.split('\n').count();
    if lines.saturating_mul(by.len()).saturating_add(text.len()) > BYTES_MAX {
        return Err(too_long());
    }
    let mut made = String::new();
    for (index, line) in text.split('\n').enumerate() {
        made.push_str(if index > 0 { "\n" } else { "" });
        let moves = if index == 0 { first } else { blank || !line.is_empty() };
        made.push_str(if moves { &by } else { "" });
        made.push_str(line);
    }
    Ok(Value::from(made))
}

fn escape(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let mut made = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '"' => made.push_str("&#34;"),
            '\'' => made.push_str("&#39;"),
            _ => made.push(letter),
        }
    }
    Ok(Value::from(made))
}

fn striptags(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let bare = without(&without(&text, "<!--", "-->"), "<", ">");
    let plain = bare.split_whitespace().collect::<Vec<_>>().join(" ");
    let known =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    Ok(Value::from(known.iter().fold(plain, |text, (from, to)| text.replace(from, to))))
}

/// Without what stands from each `open` to the next `close`; an `open` that is never closed stays.
fn without(text: &str, open: &str, close: &str) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        let Some(end) = rest[start..].find(close) else { break };
        made.push_str(&rest[..start]);
        rest = &rest[start + end + close.len()..];
    }
    made + rest
}

fn dirname(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    Ok(Value::from(match text.rfind('/') {
        None => "",
        Some(0) => "/",
        Some(at) => &text[..at],
    }))
}
