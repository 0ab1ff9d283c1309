//! What a word of YAML without quotes means: YAML 1.2's core schema, less what reads as something else than
//! it says.

use serde_json::Number;

use crate::model::json;
use crate::model::tree::Branch;

/// What is wrong with a word, and what to write instead.
pub type Odd = (String, String);

/// The value of a word without quotes.
///
/// # Errors
/// A number that would not be what stands there.
pub fn plain(word: &str) -> Result<Branch, Odd> {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Branch::Null),
        "true" | "True" | "TRUE" => return Ok(Branch::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Branch::Bool(false)),
        _ => {}
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(&digits) {
        return Err((format!("`{word}` is no number in JSON"), quoted(word)));
    }
    if let Some((rest, radix)) = radix(word) {
        let number = u64::from_str_radix(rest, radix).map_err(|_| too_large(word))?;
        return Err((format!("{word} would be read as {number}"), either(word, &number.to_string())));
    }
    match shape(digits) {
        None => Ok(Branch::Text(word.to_owned())),
        Some(shape) => number(word, digits, shape).map(Branch::Number),
    }
}

/// What a number loses that is too long.
const DIGITS: &str = "digits";

/// Below that programs write a number without an exponent.
const EXPONENT_MIN: u32 = 16;

/// What a decimal number is made of.
#[derive(Clone, Copy)]
struct Shape {
    whole: bool,
    underscores: bool,
}

/// The shape of digits, if they are a number at all.
fn shape(digits: &str) -> Option<Shape> {
    let (mantissa, exponent) =
        digits.split_once(['e', 'E']).map_or((digits, None), |(it, exp)| (it, Some(exp)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(it, rest)| (it, Some(rest)));
    let all = |text: &str| text.bytes().all(|it| it.is_ascii_digit() || it == b'_');
    let some = |text: &str| text.bytes().any(|it| it.is_ascii_digit());
    let good = all(whole) && all(fraction.unwrap_or_default()) && !whole.starts_with('_');
    let exponent_good = exponent.is_none_or(|it| {
        let it = it.strip_prefix(['-', '+']).unwrap_or(it);
        !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit())
    });
    if !good || !exponent_good || !(some(whole) || whole.is_empty() && fraction.is_some_and(some)) {
        return None;
    }
    Some(Shape { whole: fraction.is_none() && exponent.is_none(), underscores: mantissa.contains('_') })
}

fn number(word: &str, digits: &str, shape: Shape) -> Result<Number, Odd> {
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    if leading_zero || shape.underscores {
        let bare: String = digits.chars().filter(|it| *it != '_').collect();
        let bare = bare.trim_start_matches('0');
        let bare = if bare.starts_with(|it: char| it.is_ascii_digit()) {
            bare.to_owned()
        } else {
            format!("0{bare}")
        };
        let sign = if word.starts_with('-') { "-" } else { "" };
        let what = if leading_zero { "begins with a zero" } else { "has `_` in it" };
        return Err((format!("the number {word} {what}"), either(word, &format!("{sign}{bare}"))));
    }
    if word.starts_with('+') {
        return Err((format!("the number {word} would lose its plus"), either(word, digits)));
    }
    if shape.whole {
        let whole = word.parse::<u64>().map(Number::from).or_else(|_| word.parse::<i64>().map(Number::from));
        return whole.map_err(|_| too_large(word));
    }
    let number = word.parse::<f64>().ok().and_then(Number::from_f64).ok_or_else(|| too_large(word))?;
    if let Some(what) = lost(digits) {
        let bare = word.trim_end_matches('0');
        let bare = if bare.ends_with('.') { format!("{bare}0") } else { bare.to_owned() };
        let hint = match json::loses(word) {
            true => quoted(word),
            false if what == DIGITS => either(&shown(word), &number.to_string()),
            false => either(&shown(word), &bare),
        };
        return Err((format!("the number {} would lose {what}", shown(word)), hint));
    }
    if word.ends_with('.') {
        return Err((format!("the number {word} would lose its point"), either(word, &format!("{word}0"))));
    }
    match word.split_once(['e', 'E']).filter(|(mantissa, exponent)| is_word(mantissa, exponent)) {
        None => Ok(number),
        Some((mantissa, exponent)) => {
            let message = format!("{word} is a number to some readers of YAML and a text to others");
            let mantissa = mantissa.trim_end_matches('.');
            Err((message, either(word, &format!("{mantissa}.0e{exponent}"))))
        }
    }
}

/// Whether a number is written as ids and hashes are now and then, `12e03`, and as no program writes one.
fn is_word(mantissa: &str, exponent: &str) -> bool {
    let digits = mantissa.trim_start_matches('-');
    let large = exponent.parse::<u32>().is_ok_and(|it| it >= EXPONENT_MIN) && !exponent.starts_with('0');
    let by_program = digits.len() == 1 && (exponent.starts_with(['-', '+']) || large);
    (!mantissa.contains('.') && !by_program) || mantissa.ends_with('.')
}

/// What a decimal number would lose.
fn lost(digits: &str) -> Option<&'static str> {
    if json::loses(digits) || json::is_another(digits) {
        return Some(DIGITS);
    }
    let (_, fraction) = digits.split_once('.').filter(|(_, it)| it.len() > 1)?;
    fraction.ends_with('0').then_some("its last 0")
}

/// The digits of `0x1F` and `0o17`, which are numbers to YAML, and their base. With a sign they are a text.
fn radix(word: &str) -> Option<(&str, u32)> {
    let (rest, radix) = match word.as_bytes() {
        [b'0', b'x', _, ..] => (&word[2..], 16),
        [b'0', b'o', _, ..] => (&word[2..], 8),
        _ => return None,
    };
    rest.chars().all(|it| it.is_digit(radix)).then_some((rest, radix))
}

fn too_large(word: &str) -> Odd {
    (format!("the number {} is too large", shown(word)), quoted(word))
}

/// What to write for a text, and what for a number.
fn either(word: &str, number: &str) -> String {
    format!("write \"{word}\" for a text or {number} for a number")
}

fn quoted(word: &str) -> String {
    format!("write \"{}\" for a text", shown(word))
}

fn shown(word: &str) -> String {
    match word.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &word[..at]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_what_it_looks_like() {
        let read = |word: &str| match plain(word) {
            Ok(branch) => format!("{branch:?}"),
            Err((message, hint)) => format!("{message}; {hint}"),
        };
        let words = "true yes 7 -7 007 -012 1_000 0.5 .5 5. 00.5 1e3 1e400 +371 0x1F 0o17 \
                     -0x1F +0o17 08 0 -0 12:30 2024-01-01 1.2.3 _ - . e5 1e .inf 18446744073709551615 \
                     18446744073709551616 -9223372036854775809 25m ~ 0_ 00 3.10 3.0 0.50 -1.00 \
                     10.250 1.10e5 12e03 -1E-7 1.5e3 5.e3 0x1G 9007199254740993.0 \
                     52.520006599999997 0.12345678901234567891 19.999999999999999999 1e-400";
        let all: Vec<String> =
            words.split_whitespace().map(|word| format!("{word}: {}", read(word))).collect();
        insta::assert_snapshot!(all.join("\n"));
    }
}
