//! [`Raw`]: JSON with its numbers as they are written. It shares no code with what it judges.

use serde_json::from_str;

/// A value, its numbers to the digit and its names as often as they stand there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(String, Raw)>),
}

/// The digits every double gives back.
const DIGITS_SAFE: usize = 15;
/// The digits in which every double can be written.
const DIGITS_OF_DOUBLE: usize = 17;

impl Raw {
    pub(super) fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    pub(super) fn write(&self) -> String {
        let name = |it: &str| serde_json::to_string(it).unwrap();
        match self {
            Raw::Null => "null".to_owned(),
            Raw::Bool(bool) => bool.to_string(),
            Raw::Number(digits) => digits.clone(),
            Raw::Text(text) => name(text),
            Raw::List(items) => {
                let items: Vec<String> = items.iter().map(Raw::write).collect();
                format!("[{}]", items.join(", "))
            }
            Raw::Map(pairs) => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(key, it)| format!("{}: {}", name(key), it.write())).collect();
                format!("{{{}}}", pairs.join(", "))
            }
        }
    }

    /// What a server wrote.
    ///
    /// # Panics
    /// If it is no JSON.
    pub(super) fn read(text: &str) -> Raw {
        let mut rest = text.trim();
        let value = value(&mut rest);
        assert!(rest.trim().is_empty(), "no JSON: {text}");
        value
    }

    /// The member of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Raw> {
        let Raw::Map(pairs) = self else { return None };
        pairs.iter().find(|(key, _)| key == name).map(|(_, it)| it)
    }

    /// Whether any text in it, or name, is so.
    pub(super) fn any(&self, is: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Raw::Null | Raw::Bool(_) | Raw::Number(_) => false,
            Raw::Text(text) => is(text),
            Raw::List(items) => items.iter().any(|it| it.any(is)),
            Raw::Map(pairs) => pairs.iter().any(|(key, it)| is(key) || it.any(is)),
        }
    }

    /// Whether an object names one thing twice.
    pub(super) fn has_twice(&self) -> bool {
        match self {
            Raw::List(items) => items.iter().any(Raw::has_twice),
            Raw::Map(pairs) => {
                let twice = |at: usize| pairs[..at].iter().any(|(key, _)| *key == pairs[at].0);
                (0..pairs.len()).any(twice) || pairs.iter().any(|(_, it)| it.has_twice())
            }
            _ => false,
        }
    }
}

fn value(rest: &mut &str) -> Raw {
    *rest = rest.trim_start();
    match rest.chars().next().expect("a value") {
        '{' => {
            let pair = |rest: &mut &str| {
                let name = text(rest);
                *rest = rest.trim_start().strip_prefix(':').expect("a colon");
                (name, value(rest))
            };
            Raw::Map(many(rest, '}', pair))
        }
        '[' => Raw::List(many(rest, ']', value)),
        '"' => Raw::Text(text(rest)),
        _ => {
            let end = rest.find([',', ']', '}', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
            let (word, more) = rest.split_at(end);
            *rest = more;
            match word {
                "null" => Raw::Null,
                "true" | "false" => Raw::Bool(word == "true"),
                digits => Raw::Number(digits.to_owned()),
            }
        }
    }
}

fn many<T>(rest: &mut &str, close: char, one: impl Fn(&mut &str) -> T) -> Vec<T> {
    let mut all = Vec::new();
    *rest = rest[1..].trim_start();
    while !rest.starts_with(close) {
        all.push(one(rest));
        *rest = rest.trim_start();
        *rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    *rest = &rest[1..];
    all
}

fn text(rest: &mut &str) -> String {
    *rest = rest.trim_start();
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, it)| {
        let is_end = *it == '"' && !escaped;
        escaped = *it == '\\' && !escaped;
        is_end
    });
    let (word, more) = rest.split_at(end.expect("a quote").0 + 1);
    *rest = more;
    from_str(word).unwrap_or_else(|error| panic!("{word}: {error}"))
}

/// Whether `got` is what was sent. A number that neither 64 bits nor a double hold is its digits, as a text.
pub(super) fn same(sent: &Raw, got: &Raw) -> bool {
    match (sent, got) {
        (Raw::Number(sent), Raw::Number(got)) => decimal(sent) == decimal(got) || is_one_double(sent, got),
        (Raw::Number(sent), Raw::Text(got)) => sent == got && !is_held(sent),
        (Raw::List(sent), Raw::List(got)) => {
            sent.len() == got.len() && sent.iter().zip(got).all(|(sent, got)| same(sent, got))
        }
        (Raw::Map(sent), Raw::Map(pairs)) => {
            let fits = |(name, it): &(String, Raw)| got.get(name).is_some_and(|got| same(it, got));
            sent.len() == pairs.len() && sent.iter().all(fits)
        }
        (sent, got) => sent == got,
    }
}

/// The sign, the digits that count, and the power of ten.
fn decimal(number: &str) -> (bool, String, i64) {
    let (negative, bare) = (number.starts_with('-'), number.trim_start_matches('-'));
    let (mantissa, power) = bare.split_once(['e', 'E']).unwrap_or((bare, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let counted = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - counted.len()).unwrap();
    let power = power.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap() + zeros;
    let counted = counted.trim_start_matches('0').to_owned();
    let power = if counted.is_empty() { 0 } else { power };
    (negative, counted, power)
}

/// Whether both are the same double, written to no more digits than one has.
fn is_one_double(sent: &str, got: &str) -> bool {
    let digits = decimal(sent).1;
    let (one, other): (f64, f64) = (sent.parse().unwrap(), got.parse().unwrap());
    let own = format!("{one:.*e}", digits.len().saturating_sub(1));
    let has_point = sent.contains(['.', 'e', 'E']);
    has_point
        && one.to_bits() == other.to_bits()
        && (digits.len() <= DIGITS_OF_DOUBLE || decimal(&own).1 == digits)
}

/// Whether 64 bits hold it, or a double whatever its digits are.
fn is_held(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let (_, digits, power) = decimal(number);
    digits.len() <= DIGITS_SAFE && power.abs() < 250
}

#[test]
fn the_judge_knows_what_is_the_same() {
    let number = |it: &str| Raw::Number(it.to_owned());
    for (sent, got) in [("1.50", "1.5"), ("1e3", "1000"), ("-0", "-0.0"), ("5e-7", "0.0000005"), ("0", "0.0")]
    {
        assert!(same(&number(sent), &number(got)), "{sent} {got}");
    }
    for (sent, got) in [("1", "1.1"), ("-0", "0"), ("9007199254740993", "9007199254740992"), ("1", "-1")] {
        assert!(!same(&number(sent), &number(got)), "{sent} {got}");
    }
    assert!(same(&number("1e400"), &Raw::text("1e400")) && !same(&number("1.5"), &Raw::text("1.5")));
    assert!(!same(&Raw::text("1"), &number("1")) && !same(&Raw::Null, &Raw::text("")));
    let read = Raw::read(r#"{"a\"": [1.50, {"b": "x"}], "c": null, "c": []}"#);
    assert!(read.has_twice() && read.get("a\"").unwrap().write() == r#"[1.50, {"b": "x"}]"#);
}
