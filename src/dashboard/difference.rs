//! [`Difference`]: a unified diff as a page shows it, line by line with both numbers.

use crate::dashboard::show::short;

/// How many lines a page shows; the rest is in the plain text.
const LINES_MAX: usize = 800;
/// How much of a line a page shows, in characters.
const LINE_CHARS_MAX: usize = 400;
/// How much of all lines a page shows, in characters.
const CHARS_MAX: usize = 50_000;

/// A diff, ready to be shown.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) lines: Vec<DiffLine>,
    /// There is more.
    pub(super) cut: bool,
    pub(super) added: usize,
    pub(super) removed: usize,
}

/// A line of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DiffLine {
    /// `add`, `del`, `gap` between two places, or nothing.
    pub(super) class: &'static str,
    /// Its number before, if it was there.
    pub(super) old: Option<usize>,
    /// Its number now, if it is there.
    pub(super) new: Option<usize>,
    /// `+`, `−`, or nothing: told apart without colours.
    pub(super) sign: &'static str,
    pub(super) text: String,
}

impl Difference {
    /// Reads a unified diff.
    pub(super) fn new(diff: &str) -> Difference {
        let mut to = Difference::default();
        let (mut old, mut new, mut chars, mut inside) = (0, 0, 0, false);
        for line in diff.lines() {
            if let Some(starts) = line.strip_prefix("@@ ").and_then(starts) {
                (old, new) = starts;
                if inside {
                    to.put(DiffLine { class: "gap", old: None, new: None, sign: "", text: "⋯".to_owned() });
                }
                inside = true;
                continue;
            }
            let Some((sign, text)) = line.split_at_checked(1).filter(|_| inside) else { continue };
            let (text, _) = short(text, LINE_CHARS_MAX);
            chars += text.len();
            to.cut |= chars > CHARS_MAX;
            match sign {
                "+" => {
                    to.added += 1;
                    to.put(DiffLine { class: "add", old: None, new: Some(new), sign: "+", text });
                    new += 1;
                }
                "-" => {
                    to.removed += 1;
                    to.put(DiffLine { class: "del", old: Some(old), new: None, sign: "−", text });
                    old += 1;
                }
                " " => {
                    to.put(DiffLine { class: "", old: Some(old), new: Some(new), sign: "", text });
                    (old, new) = (old + 1, new + 1);
                }
                // `\ No newline at end of file`.
                _ => {}
            }
        }
        to
    }

    fn put(&mut self, line: DiffLine) {
        self.cut |= self.lines.len() >= LINES_MAX;
        if !self.cut {
            self.lines.push(line);
        }
    }
}

/// The first lines of both sides: `-12,7 +12,9 @@`.
fn starts(text: &str) -> Option<(usize, usize)> {
    let mut parts = text.split(' ');
    let mut side = |sign: char| {
        let part = parts.next()?.strip_prefix(sign)?;
        part.split(',').next()?.parse().ok()
    };
    Some((side('-')?, side('+')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_numbers_and_its_sign() {
        let diff = "--- a\n+++ b\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n@@ -10 +10,2 @@\n-+ x\n+- y\n+\n\
                    \\ No newline at end of file\n";
        let it = Difference::new(diff);
        let lines: Vec<String> = it
            .lines
            .iter()
            .map(|it| {
                let number = |it: Option<usize>| it.map_or_else(|| "-".to_owned(), |it| it.to_string());
                format!("{} {} {}{}", number(it.old), number(it.new), it.sign, it.text)
            })
            .collect();
        let told = ["1 1 a", "2 - −b", "- 2 +c", "- - ⋯", "10 - −+ x", "- 10 +- y", "- 11 +"];
        assert_eq!(lines, told);
        assert_eq!((it.added, it.removed, it.cut), (3, 2, false));
    }

    #[test]
    fn a_page_shows_so_much_and_says_so() {
        let diff = format!("@@ -1 +1,2000 @@\n{}", "+x\n".repeat(2_000));
        let it = Difference::new(&diff);
        assert_eq!((it.lines.len(), it.added, it.cut), (LINES_MAX, 2_000, true));
        let long = format!("@@ -1 +1,400 @@\n{}", format!("+{}\n", "é".repeat(900)).repeat(400));
        assert!(Difference::new(&long).cut);
        assert!(Difference::new("").lines.is_empty());
    }
}
