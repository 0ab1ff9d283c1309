//! JSON as it comes from outside, for every door alike. No value is changed in silence: a number that no
//! double and no 64 bits hold is its digits, as a text, and so are `NaN` and `Infinity`; half a character
//! that stands alone is U+FFFD in its text; a line break or a tab in a text needs no escape; an object that
//! names one thing twice is refused, for only one of the two would be kept. Pure.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// So many digits a double gives back as they were, whatever they are.
const DIGITS_SAFE: usize = 15;
/// With so many digits every double can be written; more are kept only if they are the double's own.
const DIGITS_OF_DOUBLE: usize = 17;
/// Up to so many names of an object are compared one by one.
const FEW_NAMES: usize = 16;
/// What some languages write for a number that is none.
const NO_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];
/// The bytes of `\uD83D`.
const ESCAPE: usize = 6;

/// What a text of JSON is. It goes no deeper than 128 levels.
///
/// # Errors
/// As `serde_json`, and [`once`]; the place is one in the text.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    let kept = kept(text);
    let done = once(&kept).and_then(|()| serde_json::from_str(&kept));
    done.map_err(|error| mistake(text).filter(|_| !error.is_data()).unwrap_or(error))
}

/// What is wrong with a text as it stands there: its place is one in the text that somebody wrote.
pub fn mistake(text: &str) -> Option<serde_json::Error> {
    serde_json::from_str::<de::IgnoredAny>(text).err()
}

/// The whole number that a float is, as far as a double counts by ones: spreadsheets, and languages that have
/// only one kind of number, write `7.0` for 7.
pub fn whole(value: &Value) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let float = value.as_f64().filter(|_| value.is_f64())?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and no larger than that")]
    (float.fract() == 0.0 && float.abs() <= EXACT_MAX).then_some(float as i64)
}

/// Refuses a text in which an object has one name twice.
///
/// # Errors
/// The name, and its place; or what else is wrong with the text.
pub fn once(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<Once>(text).map(drop)
}

/// A value whose objects have each name once. Nothing of it is kept.
struct Once;

/// A name in an object, borrowed from the text where nothing in it is escaped.
#[derive(PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Once, D::Error> {
        from.deserialize_any(Once)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Once;
    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Once, A::Error> {
        while items.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Once, A::Error> {
        // Most objects have a few names, and those are looked through sooner than hashed.
        let (mut few, mut many) = (Vec::<Name>::new(), HashSet::new());
        while let Some(name) = members.next_key::<Name>()? {
            if few.contains(&name) || many.contains(&name) {
                let message = format!("the name `{}` stands twice in one object", name.0.escape_debug());
                return Err(de::Error::custom(message));
            }
            members.next_value::<Once>()?;
            if few.len() < FEW_NAMES {
                few.push(name);
            } else {
                many.insert(name);
            }
        }
        Ok(Once)
    }
}

/// The same text, with what could not be kept as it is written as what can be.
pub fn kept(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut whole: Option<String> = None;
    // Up to where it is copied, and where it is looked at.
    let (mut copied, mut at, mut in_text) = (0, 0, false);
    while let Some(byte) = bytes.get(at) {
        let (end, instead) = match (in_text, byte) {
            (_, b'"') => {
                in_text = !in_text;
                (at + 1, None)
            }
            (true, b'\\') => escape(text, at),
            (true, 0..=0x1f) => (at + 1, Some(Cow::Owned(format!("\\u{byte:04x}")))),
            (false, b'-' | b'N' | b'I') if at > 0 && no_number(text, at).is_some() => {
                let word = no_number(text, at).unwrap_or_default();
                (at + word.len(), Some(Cow::Owned(format!("\"{word}\""))))
            }
            (false, b'-' | b'0'..=b'9') => number(text, at),
            _ => (at + 1, None),
        };
        if let Some(instead) = instead {
            let whole = whole.get_or_insert_with(|| String::with_capacity(text.len() + 16));
            whole.push_str(&text[copied..at]);
            whole.push_str(&instead);
            copied = end;
        }
        at = end;
    }
    match whole {
        None => Cow::Borrowed(text),
        Some(mut whole) => {
            whole.push_str(&text[copied.min(text.len())..]);
            Cow::Owned(whole)
        }
    }
}

/// What stands there for a number that is none.
fn no_number(text: &str, at: usize) -> Option<&'static str> {
    NO_NUMBERS.into_iter().find(|it| text.as_bytes()[at..].starts_with(it.as_bytes()))
}

/// An escape: where it ends, and what stands for it if it is half a character.
fn escape(text: &str, at: usize) -> (usize, Option<Cow<'_, str>>) {
    match (unit(text, at), unit(text, at + ESCAPE)) {
        (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (at + 2 * ESCAPE, None),
        (Some(0xD800..=0xDFFF), _) => (at + ESCAPE, Some(Cow::Borrowed("\\ufffd"))),
        // What is escaped may be the end of a text, or half of a longer character.
        (Some(_) | None, _) => {
            let end = (at + 2..=text.len()).find(|end| text.is_char_boundary(*end));
            (end.unwrap_or(text.len()), None)
        }
    }
}

/// The number after `\u`.
fn unit(text: &str, at: usize) -> Option<u16> {
    u16::from_str_radix(text.get(at..at + ESCAPE)?.strip_prefix("\\u")?, 16).ok()
}

/// A number: where it ends, and its digits as a text if it would lose some.
fn number(text: &str, at: usize) -> (usize, Option<Cow<'_, str>>) {
    let is_part = |it: &u8| matches!(it, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E');
    let length = text.as_bytes()[at..].iter().take_while(|it| is_part(it)).count();
    let (end, token) = (at + length, &text[at..at + length]);
    let instead = loses(token).then(|| Cow::Owned(format!("\"{token}\"")));
    (end, instead)
}

/// Whether a number is not the same any more when it was read and is written again.
pub fn loses(token: &str) -> bool {
    if token.len() <= DIGITS_SAFE {
        // Nothing of that length is beyond a double, but by its exponent.
        return token.contains(['e', 'E']) && is_number(token) && token.parse().is_ok_and(is_beyond(token));
    }
    if !is_number(token) {
        return false;
    }
    if !token.contains(['.', 'e', 'E']) {
        return token.parse::<i64>().is_err() && token.parse::<u64>().is_err();
    }
    let Ok(double) = token.parse::<f64>() else { return false };
    if is_beyond(token)(double) {
        return true;
    }
    let digits = digits(token);
    digits.len() > DIGITS_OF_DOUBLE && digits != digits_of(double, digits.len())
}

/// Whether a decimal number is the digits of no double, neither its shortest nor its own so many. JSON is
/// written by machines, and a machine's double has them; what a hand wrote may be something else.
pub fn is_another(token: &str) -> bool {
    let digits = digits(token);
    let is_of = |double: f64| digits == digits_of(double, digits.len()) || digits == shortest(double);
    digits.len() > DIGITS_SAFE && token.parse().is_ok_and(|double: f64| !is_of(double))
}

fn shortest(double: f64) -> String {
    digits(&format!("{double:e}"))
}

/// Whether it is beyond all doubles, or nearer to zero than any.
fn is_beyond(token: &str) -> impl Fn(f64) -> bool + '_ {
    |double| double.is_infinite() || (double == 0.0 && !digits(token).is_empty())
}

/// Whether JSON takes it for a number. What it does not is the parser's to tell.
fn is_number(token: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(token).is_ok()
}

/// The digits that count, without zeros in front and behind.
fn digits(token: &str) -> String {
    let mantissa = token.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').trim_end_matches('0').to_owned()
}

fn digits_of(double: f64, many: usize) -> String {
    digits(&format!("{double:.*e}", many.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for same in [
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "1.5e10",
            "52.520006599999997",
            "0.30000000000000004",
            "1.2300000000000000000000000",
            "1e300",
            "0.0",
            "-0.0e5",
            "0.1000000000000000055511151231257827021181583404541015625",
            "1234567890.123456",
        ] {
            assert_eq!(kept(same), same);
        }
        for lost in [
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "1e400",
            "-1e400",
            "1e-400",
            "3.14159265358979323846264338327950288",
            "0.1234567890123456789",
        ] {
            assert_eq!(read::<Value>(&format!("{{\"a\": [{lost}, 1]}}")).unwrap(), json!({"a": [lost, 1]}));
        }
        // What is none is told as before.
        for none in ["1.2.3.4.5.6.7.8.9.0", "00000000000000000001", "--1", "1e", "-", "NaN"] {
            assert_eq!(kept(none), none);
            assert!(read::<Value>(none).is_err(), "{none}");
        }
        assert_eq!(
            kept("{\"123456789012345678901234567890\": 1}"),
            "{\"123456789012345678901234567890\": 1}"
        );
    }

    #[test]
    fn what_can_only_be_meant_so_is_read_so() {
        for (text, value) in [
            ("{\"n\": \"a\tb\r\nc\u{1}\"}", json!({"n": "a\tb\r\nc\u{1}"})),
            ("{\"x\": NaN, \"y\": [Infinity,-Infinity], \"z\": \"NaN\"}", {
                json!({"x": "NaN", "y": ["Infinity", "-Infinity"], "z": "NaN"})
            }),
        ] {
            assert_eq!(read::<Value>(text).unwrap(), value);
        }
        for none in ["[NaNo]", "[nan]", "[-Inf]", "[--Infinity]", "{NaN: 1}x", "Infinity"] {
            assert!(read::<Value>(none).is_err(), "{none}");
        }
        // A quote that is missing is told where it is missing.
        let told = read::<Value>("{\"a\": \"x,\n \"b\": 1}").unwrap_err();
        assert!(told.to_string().contains("control character") && told.line() == 1, "{told}");
    }

    #[test]
    fn what_stands_twice_is_refused() {
        for (text, place) in [
            (r#"{"a": 1, "b": {}, "a": 1}"#, "line 1 column 21"),
            ("[{\"x\": 1}, {\"x\": [],\n \"\\u0078\": 2}]", "line 2 column 9"),
            (r#"{"": 1, "": 2}"#, "line 1 column 10"),
        ] {
            let said = read::<Value>(text).unwrap_err().to_string();
            assert!(said.contains("stands twice in one object") && said.contains(place), "{text}: {said}");
        }
        for text in [r#"[{"a": 1}, {"a": {"a": 1}}]"#, r#"{"a": 1, "A": 1, "a ": 1}"#, r#"["a", "a"]"#] {
            assert!(read::<Value>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn half_a_character_costs_no_more_than_itself() {
        for (text, value) in [
            (r#"{"a": "x\ud83d y", "t": 1}"#, "x\u{FFFD} y"),
            (r#"{"a": "\udE00", "t": 1}"#, "\u{FFFD}"),
            (r#"{"a": "\ud83d\ud83d\ude00\\ud83d\u00e9\"é", "t": 1}"#, "\u{FFFD}😀\\ud83dé\"é"),
        ] {
            let read: Value = read(text).unwrap();
            assert_eq!((&read["a"], &read["t"]), (&json!(value), &json!(1)), "{text}");
        }
        for text in ["{\"a\": \"\\ud83", "{\"a\": \"\\", "\\é", "{\"a\": \"\\ud83d", "\"\\"] {
            assert!(read::<Value>(text).is_err(), "{text}");
        }
    }

    proptest! {
        /// Whatever JSON we write ourselves is read as it was.
        #[test]
        fn what_is_written_is_read_as_it_was(
            text in ".*", int: i64, double in prop::num::f64::NORMAL, big in "[1-9][0-9]{20,60}",
        ) {
            let value = json!({"text": &text, "int": int, "double": double, &text: [big.clone()]});
            let written = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(kept(&written), written.as_str());
            let bare = format!("[{big}, -{big}, {big}.5]");
            let read: Value = read(&bare).unwrap();
            prop_assert_eq!(read, json!([big.clone(), format!("-{big}"), format!("{big}.5")]));
        }
    }
}
