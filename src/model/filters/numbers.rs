//! Filters of numbers, and those that make numbers and truths of texts.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, filters};

use crate::model::bridge::{float, integer};
use crate::model::carried::bad_value;
use crate::model::costs::{Cost, add_filter};
use crate::model::filters::format::{DIGITS_MAX, decimals};
use crate::model::filters::given::{Given, shown};
use crate::model::filters::spec::{FilterSpec, Run, own};

/// The filters.
#[rustfmt::skip]
pub(crate) static NUMBERS: [FilterSpec; 7] = [
    FilterSpec { name: "int", also: &[], takes: "default?, base=10",
        cost: Cost::Whole, run: own(|_, it| int(it)),
        about: "a whole number; of what is none the default, or a fault",
        example: ("\" 3 \"|int + \"x\"|int(0)", "3") },
    FilterSpec { name: "float", also: &[], takes: "default?", cost: Cost::Whole, run: own(|_, it| real(it)),
        about: "a number with a point; of what is none the default, or a fault",
        example: ("\" 1.5\"|float", "1.5") },
    FilterSpec { name: "bool", also: &[], takes: "default?", cost: Cost::Whole, run: own(|_, it| truth(it)),
        about: "true of `true`, `yes`, `on`, `1`, false of `false`, `no`, `off`, `0` and nothing; other \
            texts are faults",
        example: ("\"no\"|bool", "false") },
    FilterSpec { name: "round", also: &[], takes: "precision=0, method=\"common\"", cost: Cost::One,
        run: own(|_, it| round(it)),
        about: "to so many digits; `method` is `common` (the half to the even), `ceil` or `floor`",
        example: ("1.25|round(1, \"ceil\")", "1.3") },
    FilterSpec { name: "abs", also: &[], takes: "", cost: Cost::One,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::abs)),
        about: "without its sign", example: ("(1 - 3)|abs", "2") },
    FilterSpec { name: "sum", also: &[], takes: "; attribute, start", cost: Cost::Items,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::sum)),
        about: "of the items, or of that attribute", example: ("[1, 2]|sum", "3") },
    FilterSpec { name: "filesizeformat", also: &[], takes: "binary=false", cost: Cost::One,
        run: own(|_, it| size(it)),
        about: "a number of bytes for a person", example: ("1500000|filesizeformat", r#""1.5 MB""#) },
];

fn no_number(it: Given) -> Error {
    let message =
        format!("{} is no number; hint: `|int(0)`, `|float(0)` give another one then", shown(it.at(0)));
    bad_value(&message)
}

fn default_or(it: Given, found: Option<Value>) -> Result<Value, Error> {
    match found {
        Some(found) => Ok(found),
        None if it.has(1) => Ok(it.at(1).clone()),
        None => Err(no_number(it)),
    }
}

fn int(it: Given) -> Result<Value, Error> {
    let base = u32::try_from(it.size(2, 2, 36)?).unwrap_or(10);
    let found = match (it.at(0).as_str(), it.at(0).kind()) {
        (Some(text), _) => whole_of(text.trim(), base),
        (None, ValueKind::Bool) => Some(Value::from(i64::from(it.at(0).is_true()))),
        (None, ValueKind::Number) => {
            integer(it.at(0)).map(Value::from).or_else(|| cut(float(it.at(0)).ok()?))
        }
        (None, _) => None,
    };
    default_or(it, found)
}

fn whole_of(text: &str, base: u32) -> Option<Value> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let small = digits.to_ascii_lowercase();
    let digits = match base {
        2 => small.strip_prefix("0b"),
        8 => small.strip_prefix("0o"),
        16 => small.strip_prefix("0x"),
        _ => None,
    }
    .unwrap_or(&small);
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let whole = i128::from_str_radix(&format!("{sign}{digits}"), base).ok().map(Value::from);
    whole.or_else(|| if base == 10 { cut(number(text)?) } else { None })
}

/// A number as JSON and Python write it; neither `inf` nor `nan`.
fn number(text: &str) -> Option<f64> {
    let is_plain = |it: char| it.is_ascii_digit() || matches!(it, '+' | '-' | '.' | 'e' | 'E');
    if text.chars().all(is_plain) { text.parse::<f64>().ok().filter(|it| it.is_finite()) } else { None }
}

/// What is in front of the point, if that is a number that is told exactly.
fn cut(number: f64) -> Option<Value> {
    const WHOLE_MAX: f64 = 1e18;
    #[expect(clippy::cast_possible_truncation, reason = "it was looked at just before")]
    let whole = number.trunc() as i64;
    (number.abs() < WHOLE_MAX).then(|| Value::from(whole))
}

fn real(it: Given) -> Result<Value, Error> {
    let found = match (it.at(0).as_str(), it.at(0).kind()) {
        (Some(text), _) => number(text.trim()).map(Value::from),
        (None, ValueKind::Bool) => Some(Value::from(f64::from(u8::from(it.at(0).is_true())))),
        (None, ValueKind::Number) => Some(Value::from(float(it.at(0))?)),
        (None, _) => None,
    };
    default_or(it, found)
}

fn truth(it: Given) -> Result<Value, Error> {
    let Some(text) = it.at(0).as_str() else { return Ok(Value::from(it.at(0).is_true())) };
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "y" | "t" => Ok(Value::from(true)),
        "false" | "no" | "off" | "0" | "n" | "f" | "" => Ok(Value::from(false)),
        _ if it.has(1) => Ok(it.at(1).clone()),
        _ => Err(bad_value(&format!(
            "{} is neither true nor false; hint: `|bool(false)` gives that then",
            shown(it.at(0))
        ))),
    }
}

fn round(it: Given) -> Result<Value, Error> {
    let value = it.at(0);
    let method = it.text(2)?;
    let digits = it.whole(1)?;
    if !matches!(&*method, "common" | "ceil" | "floor") {
        return Err(bad_value("`round` is `common`, `ceil` or `floor`"));
    }
    if !(-DIGITS_MAX..=DIGITS_MAX).contains(&digits) {
        return Err(bad_value(&format!("{digits} is not between -{DIGITS_MAX} and {DIGITS_MAX}")));
    }
    if value.kind() != ValueKind::Number {
        return Err(no_number(it));
    }
    if value.is_integer() && digits >= 0 {
        return Ok(value.clone());
    }
    let digits = i32::try_from(digits).unwrap_or(0);
    if let Some(whole) = integer(value) {
        return rounded_whole(whole, digits.unsigned_abs(), &method).ok_or_else(|| no_number(it));
    }
    let number = float(value)?;
    let made = match &*method {
        "common" if digits >= 0 => {
            decimals(value, usize::try_from(digits).unwrap_or(0))?.parse().unwrap_or(number)
        }
        "common" => {
            let unit = 10f64.powi(-digits);
            (number / unit).round_ties_even() * unit
        }
        "ceil" => (number * 10f64.powi(digits)).ceil() / 10f64.powi(digits),
        _ => (number * 10f64.powi(digits)).floor() / 10f64.powi(digits),
    };
    Ok(Value::from(made))
}

fn rounded_whole(whole: i128, zeros: u32, method: &str) -> Option<Value> {
    let unit = 10i128.checked_pow(zeros)?;
    let (low, rest) = (whole.div_euclid(unit), whole.rem_euclid(unit));
    let up = match method {
        "ceil" => rest > 0,
        "floor" => false,
        _ => rest * 2 > unit || (rest * 2 == unit && low.rem_euclid(2) == 1),
    };
    (low + i128::from(up)).checked_mul(unit).map(Value::from)
}

fn size(it: Given) -> Result<Value, Error> {
    let bytes = float(it.at(0))?;
    let (base, units) = match it.flag(1)? {
        true => (1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]),
        false => (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]),
    };
    #[expect(clippy::float_cmp, reason = "one is one")]
    if bytes == 1.0 {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{} Bytes", bytes.trunc())));
    }
    let mut left = bytes / base;
    let mut unit = 0;
    while left >= base && unit + 1 < units.len() {
        left /= base;
        unit += 1;
    }
    Ok(Value::from(format!("{left:.1} {}", units[unit])))
}
