//! `"%.2f"|format(x)`, `"%d" % x` and `"{:.2f}".format(x)`: what Python's two ways to format a text are
//! mostly used for. Widths and decimals are bounded; what is not known is a fault that says so.

use std::borrow::Cow;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::model::bridge::{BYTES_MAX, float, integer, text_of, too_long};
use crate::model::carried::bad_value;
use crate::model::costs::{Cost, whole};
use crate::model::filters::given::{Given, WIDTH_MAX, items, shown};
use crate::model::filters::spec::{FilterSpec, own};

/// The most decimals of a number.
pub(crate) const DIGITS_MAX: i64 = 100;

/// The filters.
#[rustfmt::skip]
pub(crate) static FORMATS: [FilterSpec; 3] = [
    FilterSpec { name: "format", also: &[], takes: "**values",
        cost: Cost::Whole, run: own(|_, it| percent(it)),
        about: "with the values for `%s`, `%d`, `%.2f`, `%05d`, `%x`, `%(name)s`; `%` does the same",
        example: ("\"%s costs %.2f\"|format(\"tea\", 1.5)", r#""tea costs 1.50""#) },
    FilterSpec { name: "fixed", also: &[], takes: "digits=2", cost: Cost::One, run: own(|_, it| fixed(it)),
        about: "a number as text with so many decimals", example: ("1.5|fixed(2)", r#""1.50""#) },
    FilterSpec { name: "m_format", also: &[], takes: "**values",
        cost: Cost::Whole, run: own(|_, it| braces(it)),
        about: "", example: ("", "") },
];

fn fixed(it: Given) -> Result<Value, Error> {
    let digits = it.size(1, 0, DIGITS_MAX)?;
    Ok(Value::from(decimals(it.at(0), digits)?))
}

/// How a value is to be written.
#[derive(Default)]
struct Shape {
    fill: Option<char>,
    align: Option<char>,
    plus: Option<char>,
    is_alternate: bool,
    has_zeros: bool,
    groups: bool,
    width: usize,
    digits: Option<usize>,
    letter: Option<char>,
}

/// What is left of a format.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.0.chars().next()?;
        self.0 = &self.0[letter.len_utf8()..];
        Some(letter)
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.0.starts_with(wanted);
        if is_there {
            self.next();
        }
        is_there
    }

    fn number(&mut self, most: i64) -> Result<Option<usize>, Error> {
        let end = self.0.find(|it: char| !it.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        if digits.is_empty() {
            return Ok(None);
        }
        let number = digits.parse::<i64>().ok().filter(|it| *it <= most);
        let number = number.and_then(|it| usize::try_from(it).ok());
        number.map(Some).ok_or_else(|| bad_value(&format!("{digits} in a format is more than {most}")))
    }
}

/// Python's `%`.
pub(crate) fn percent(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let values = items(it.at(1))?;
    let mut next = values.iter();
    let mut made = String::new();
    let mut rest = Rest(&text);
    while let Some(letter) = rest.next() {
        if letter != '%' {
            made.push(letter);
            continue;
        }
        let named = if rest.take('(') {
            let (name, after) = rest.0.split_once(')').ok_or_else(|| bad_value("`%(` is never closed"))?;
            rest.0 = after;
            Some(it.at(2).get_item(&Value::from(name)).ok().filter(|it| !it.is_undefined()).ok_or_else(
                || bad_value(&format!("the format names `{name}`, and there is no such value")),
            )?)
        } else {
            None
        };
        let shape = percent_shape(&mut rest)?;
        if shape.letter == Some('%') {
            made.push('%');
            continue;
        }
        let value = match named {
            Some(value) => value,
            None => next.next().cloned().ok_or_else(|| bad_value("the format has more `%` than values"))?,
        };
        push(&mut made, &shape.written(&value)?)?;
    }
    match next.len() {
        0 => Ok(Value::from(made)),
        _ => Err(bad_value("there are more values than `%` in the format")),
    }
}

fn percent_shape(rest: &mut Rest) -> Result<Shape, Error> {
    let mut shape = Shape::default();
    while let Some(flag) = rest.0.chars().next().filter(|it| "-+ 0#".contains(*it)) {
        rest.next();
        match flag {
            '-' => shape.align = Some('<'),
            '0' => shape.has_zeros = true,
            '#' => shape.is_alternate = true,
            sign => shape.plus = Some(sign),
        }
    }
    shape.width = rest.number(WIDTH_MAX)?.unwrap_or(0);
    if rest.take('.') {
        shape.digits = Some(rest.number(DIGITS_MAX)?.unwrap_or(0));
    }
    let letter = rest.next().ok_or_else(|| bad_value("the format ends with a `%`; hint: `%%` is one"))?;
    shape.letter = Some(if matches!(letter, 'i' | 'u') { 'd' } else { letter });
    if shape.align.is_none() {
        shape.align = Some('>');
    }
    Ok(shape)
}

/// Python's `str.format`, without paths and conversions.
fn braces(it: Given) -> Result<Value, Error> {
    let text = it.text(0)?;
    let values = items(it.at(1))?;
    let mut count = 0;
    let mut made = String::new();
    let mut rest = Rest(&text);
    while let Some(letter) = rest.next() {
        match letter {
            '{' if rest.take('{') => made.push('{'),
            '}' if rest.take('}') => made.push('}'),
            '}' => return Err(bad_value("a `}` of the format closes nothing; hint: `}}` is one")),
            '{' => {
                let (field, after) =
                    rest.0.split_once('}').ok_or_else(|| bad_value("a `{` of the format is never closed"))?;
                rest.0 = after;
                let (name, shape) = field.split_once(':').unwrap_or((field, ""));
                let value = match name {
                    "" => {
                        count += 1;
                        values.get(count - 1).cloned()
                    }
                    name => match name.parse::<usize>() {
                        Ok(place) => values.get(place).cloned(),
                        Err(_) => it.at(2).get_item(&Value::from(name)).ok(),
                    },
                };
                let value = value.filter(|it| !it.is_undefined());
                let value =
                    value.ok_or_else(|| bad_value(&format!("the format has no value for `{{{field}}}`")))?;
                push(&mut made, &brace_shape(shape)?.written(&value)?)?;
            }
            _ => made.push(letter),
        }
    }
    Ok(Value::from(made))
}

fn brace_shape(text: &str) -> Result<Shape, Error> {
    let mut shape = Shape::default();
    let mut rest = Rest(text);
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(fill), Some(align)) if "<>^".contains(align) => {
            (shape.fill, shape.align) = (Some(fill), Some(align));
            rest.next();
            rest.next();
        }
        (Some(align), _) if "<>^".contains(align) => {
            shape.align = Some(align);
            rest.next();
        }
        _ => {}
    }
    if let Some(sign) = rest.0.chars().next().filter(|it| "+- ".contains(*it)) {
        shape.plus = Some(sign).filter(|it| *it != '-');
        rest.next();
    }
    shape.is_alternate = rest.take('#');
    shape.has_zeros = rest.take('0');
    shape.width = rest.number(WIDTH_MAX)?.unwrap_or(0);
    shape.groups = rest.take(',');
    if rest.take('.') {
        shape.digits = rest.number(DIGITS_MAX)?;
    }
    shape.letter = rest.next();
    if rest.0.is_empty() { Ok(shape) } else { Err(unknown(text)) }
}

fn unknown(format: &str) -> Error {
    bad_value(&format!("the format `{format}` is not known; hint: such as `%s`, `%d`, `%05.2f`, `{{:.2f}}`"))
}

fn push(made: &mut String, piece: &str) -> Result<(), Error> {
    if made.len().saturating_add(piece.len()) > BYTES_MAX {
        return Err(too_long());
    }
    made.push_str(piece);
    Ok(())
}

impl Shape {
    fn written(&self, value: &Value) -> Result<String, Error> {
        whole(value, 1)?;
        let is_number = value.kind() == ValueKind::Number;
        let letter = self.letter.unwrap_or(if is_number && self.digits.is_some() { 'g' } else { 's' });
        let body = match letter {
            's' | 'r' | 'a' => {
                let text = text_of(value)?;
                match self.digits {
                    Some(digits) => Cow::Owned(text.chars().take(digits).collect()),
                    None => text,
                }
            }
            'd' => Cow::Owned(Self::whole_number(value)?.to_string()),
            'x' | 'X' | 'o' | 'b' => Cow::Owned(self.in_base(value, letter)?),
            'f' | 'F' => Cow::Owned(decimals(value, self.digits.unwrap_or(6))?),
            'e' | 'E' => Cow::Owned(exponent(value, self.digits.unwrap_or(6), letter)?),
            '%' => Cow::Owned(decimals(&Value::from(float(value)? * 100.0), self.digits.unwrap_or(6))? + "%"),
            other => return Err(unknown(&other.to_string())),
        };
        Ok(self.padded(&body, letter != 's' || (is_number && self.align.is_none())))
    }

    fn whole_number(value: &Value) -> Result<i128, Error> {
        if let Some(number) = integer(value) {
            return Ok(number);
        }
        let number = float(value)?;
        // What lies beyond is no whole number that JSON could hold.
        #[expect(clippy::cast_possible_truncation, reason = "it is cut as Python cuts it")]
        let cut = number.trunc() as i128;
        if number.is_finite() { Ok(cut) } else { Err(bad_value("that is no number")) }
    }

    fn in_base(&self, value: &Value, letter: char) -> Result<String, Error> {
        let number = integer(value)
            .ok_or_else(|| bad_value(&format!("`%{letter}` writes whole numbers, not {}", shown(value))))?;
        let (size, sign) = (number.unsigned_abs(), if number < 0 { "-" } else { "" });
        let mark = if self.is_alternate { format!("0{letter}") } else { String::new() };
        let digits = match letter {
            'x' => format!("{size:x}"),
            'X' => format!("{size:X}"),
            'o' => format!("{size:o}"),
            _ => format!("{size:b}"),
        };
        Ok(format!("{sign}{mark}{digits}"))
    }

    fn padded(&self, body: &str, is_number: bool) -> String {
        let (sign, digits) = match body.strip_prefix('-') {
            Some(digits) if is_number => ("-".to_owned(), digits),
            None if is_number => (self.plus.map(String::from).unwrap_or_default(), body),
            _ => (String::new(), body),
        };
        let digits = if self.groups { grouped(digits) } else { digits.to_owned() };
        let pad = self.width.saturating_sub(sign.chars().count() + digits.chars().count());
        if self.has_zeros && is_number && self.align != Some('<') {
            return format!("{sign}{}{digits}", "0".repeat(pad));
        }
        let fill = |count: usize| self.fill.unwrap_or(' ').to_string().repeat(count);
        match self.align.unwrap_or(if is_number { '>' } else { '<' }) {
            '<' => format!("{sign}{digits}{}", fill(pad)),
            '^' => format!("{}{sign}{digits}{}", fill(pad / 2), fill(pad - pad / 2)),
            _ => format!("{}{sign}{digits}", fill(pad)),
        }
    }
}

/// A comma before every three digits.
fn grouped(digits: &str) -> String {
    let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(digits.len());
    let mut made = String::new();
    for (index, digit) in digits[..end].chars().enumerate() {
        made.push_str(if index > 0 && (end - index).is_multiple_of(3) { "," } else { "" });
        made.push(digit);
    }
    made + &digits[end..]
}

/// A number with so many decimals.
pub(crate) fn decimals(value: &Value, digits: usize) -> Result<String, Error> {
    if value.kind() != ValueKind::Number {
        let hint = "hint: make a number of a text with `|float`";
        return Err(bad_value(&format!("{} is no number; {hint}", shown(value))));
    }
    if let Some(number) = integer(value) {
        let zeros = if digits > 0 { format!(".{}", "0".repeat(digits)) } else { String::new() };
        return Ok(format!("{number}{zeros}"));
    }
    let number = float(value)?;
    if number.is_finite() { Ok(format!("{number:.digits$}")) } else { Err(bad_value("that is no number")) }
}

/// `1.50e+03`: two digits at least behind the sign.
fn exponent(value: &Value, digits: usize, letter: char) -> Result<String, Error> {
    let written = format!("{:.digits$e}", float(value)?);
    let (body, power) = written.split_once('e').unwrap_or((&written, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |it| ('-', it));
    Ok(format!("{body}{letter}{sign}{power:0>2}"))
}
