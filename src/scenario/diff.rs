//! [`Miss`]: something that is not as the scenario has it, as a person reads it: what was expected, and what
//! came.

use serde::Serialize;
use serde_json::Value;

use crate::model::tree::Spot;

/// What stands in a path for any nodes, however many.
pub const ANY: &str = "...";
/// Longer values are compared as a whole: their lines would be a page of their own.
const LINES_MAX: usize = 500;

/// Something that is not as the scenario has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Where the scenario has it.
    pub spot: Spot,
    /// What it is about, and what is wrong with it.
    pub what: String,
    /// The difference, line by line; none if there is nothing to compare.
    pub lines: Vec<DiffLine>,
    /// What would help.
    pub hint: Option<String>,
}

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    /// On which side it stands.
    pub side: Side,
    /// Its text.
    pub text: String,
}

/// On which side a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// On both.
    Both,
    /// It was expected, and is not there.
    Expected,
    /// It is there, and was not expected.
    Got,
}

impl Side {
    /// The sign before such a line.
    pub fn sign(self) -> char {
        match self {
            Side::Both => ' ',
            Side::Expected => '-',
            Side::Got => '+',
        }
    }
}

impl Miss {
    /// Something is wrong, with nothing to compare.
    pub fn new(spot: Spot, what: impl Into<String>) -> Miss {
        Miss { spot, what: what.into(), lines: Vec::new(), hint: None }
    }

    /// With what would help.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Miss {
        Miss { hint: Some(hint.into()), ..self }
    }

    /// With what was expected and what came, as texts of some lines.
    #[must_use]
    pub fn texts(self, expected: &str, got: &str) -> Miss {
        let (expected, got): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
        Miss { lines: difference(&expected, &got, None), ..self }
    }

    /// With the nodes that were expected and those that were come to.
    #[must_use]
    pub fn path(self, expected: &[String], got: &[String]) -> Miss {
        Miss { lines: difference(expected, got, Some(ANY)), ..self }
    }
}

/// A value as it is shown: short ones on a line.
pub fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else { return "absent".to_owned() };
    let short = value.to_string();
    match value {
        Value::Array(_) | Value::Object(_) if short.chars().count() > SHORT_CHARS_MAX => {
            serde_json::to_string_pretty(value).unwrap_or(short)
        }
        _ => short,
    }
}

/// A list or a map longer than that is shown on many lines.
const SHORT_CHARS_MAX: usize = 80;

/// The lines of both, those they share once: as few changes as there can be. A line of the expected that is
/// `any` stands for any lines, or none.
fn difference<T: AsRef<str>>(expected: &[T], got: &[T], any: Option<&str>) -> Vec<DiffLine> {
    let line = |side, text: &T| DiffLine { side, text: text.as_ref().to_owned() };
    let (many, much) = (expected.len(), got.len());
    if many > LINES_MAX || much > LINES_MAX {
        let expected = expected.iter().map(|it| line(Side::Expected, it));
        return expected.chain(got.iter().map(|it| line(Side::Got, it))).collect();
    }
    let is_any = |one: usize| one < many && any == Some(expected[one].as_ref());
    let equal = |one: usize, other: usize| {
        one < many && other < much && expected[one].as_ref() == got[other].as_ref()
    };
    // How many changes are left from here on.
    let mut left = vec![vec![0usize; much + 1]; many + 1];
    for one in (0..=many).rev() {
        for other in (0..=much).rev() {
            let own = usize::from(!is_any(one));
            let mut ways = Vec::with_capacity(3);
            if one < many {
                ways.push(left[one + 1][other] + own);
            }
            if other < much {
                ways.push(left[one][other + 1] + own);
            }
            if equal(one, other) {
                ways.push(left[one + 1][other + 1]);
            }
            left[one][other] = ways.into_iter().min().unwrap_or(0);
        }
    }
    let mut lines = Vec::new();
    let (mut one, mut other) = (0, 0);
    while one < many || other < much {
        let own = usize::from(!is_any(one));
        if equal(one, other) && left[one][other] == left[one + 1][other + 1] {
            lines.push(line(Side::Both, &got[other]));
            (one, other) = (one + 1, other + 1);
        } else if one < many && left[one][other] == left[one + 1][other] + own {
            lines.push(line(if own == 0 { Side::Both } else { Side::Expected }, &expected[one]));
            one += 1;
        } else {
            if own == 1 {
                lines.push(line(Side::Got, &got[other]));
            }
            other += 1;
        }
    }
    lines
}

/// Whether the nodes that were come to are those expected, where [`ANY`] stands for any.
pub fn path_fits(expected: &[String], got: &[String]) -> bool {
    match expected.split_first() {
        None => got.is_empty(),
        Some((first, rest)) if first == ANY => (0..=got.len()).any(|from| path_fits(rest, &got[from..])),
        Some((first, rest)) => {
            got.split_first().is_some_and(|(node, behind)| node == first && path_fits(rest, behind))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_path_may_leave_nodes_out() {
        let got = words("nap tidy route renew nap");
        for (path, fits) in [
            ("nap tidy route renew nap", true),
            ("nap ... renew nap", true),
            ("... renew ...", true),
            ("...", true),
            ("nap ... renew", false),
            ("tidy ...", false),
            ("", false),
        ] {
            assert_eq!(path_fits(&words(path), &got), fits, "{path}");
        }
    }

    #[test]
    fn what_both_share_is_shown_once() {
        for (expected, got, lines) in [
            ("a b c", "a c d", " a -b  c +d"),
            ("a ... d", "a b c e", " a  ... -d"),
            ("... renew rest", "nap tidy renew nap", " ...  renew -rest +nap"),
        ] {
            let miss = Miss::new(Spot::default(), "it").path(&words(expected), &words(got));
            let shown: Vec<String> =
                miss.lines.iter().map(|it| format!("{}{}", it.side.sign(), it.text)).collect();
            assert_eq!(shown.join(" "), lines);
        }
    }
}
