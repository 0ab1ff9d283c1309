//! Merging three texts: what both made of one base, or where they made different things of the same lines.

use std::collections::VecDeque;

use diffy::{DiffOptions, merge};
use serde::Serialize;

/// What stands before each side of a conflict in a marked text.
const MARKS: [&str; 4] = ["<<<<<<< ours", "||||||| original", "=======", ">>>>>>> theirs"];

/// The same lines, changed on both sides and not alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clash {
    /// Where it begins in the first of the two texts, from 1.
    pub line: usize,
    /// What stands there.
    pub yours: String,
    /// What stood there in the base.
    pub before: String,
    /// What the other text has there.
    pub theirs: String,
}

/// Two texts that cannot be merged by rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmerged {
    /// Where they clash.
    pub clashes: Vec<Clash>,
    /// All of it, with marks around each clash.
    pub marked: String,
}

/// What `ours` and `theirs` made of `base`, together.
///
/// # Errors
/// Where they clash.
pub fn three_way(base: &str, ours: &str, theirs: &str) -> Result<String, Unmerged> {
    merge(base, ours, theirs).map_err(|marked| Unmerged { clashes: clashes(&marked, ours), marked })
}

/// How one text became another, as a unified diff; empty if they are the same.
pub fn unified(old: (&str, &str), new: (&str, &str)) -> String {
    if old.1 == new.1 {
        return String::new();
    }
    let mut options = DiffOptions::new();
    options.set_original_filename(old.0.to_owned()).set_modified_filename(new.0.to_owned());
    options.create_patch(old.1, new.1).to_string()
}

/// Reads the clashes back out of a marked text.
fn clashes(marked: &str, ours: &str) -> Vec<Clash> {
    let ours: Vec<&str> = ours.lines().collect();
    let mut lines: VecDeque<&str> = marked.lines().collect();
    let (mut all, mut after) = (Vec::new(), 0);
    while let Some(line) = lines.pop_front() {
        if line != MARKS[0] {
            continue;
        }
        let mut side = |end: &str| {
            let mut part = Vec::new();
            while let Some(line) = lines.pop_front().filter(|it| *it != end) {
                part.push(line);
            }
            part
        };
        let (yours, before, theirs) = (side(MARKS[1]), side(MARKS[2]), side(MARKS[3]));
        let found = ours[after..].windows(yours.len().max(1)).position(|it| it == yours.as_slice());
        let start = after + found.unwrap_or_default();
        after = (start + yours.len()).min(ours.len());
        let text = |part: Vec<&str>| part.join("\n");
        all.push(Clash { line: start + 1, yours: text(yours), before: text(before), theirs: text(theirs) });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "a\nb\nc\nd\ne\nf\ng\n";

    #[test]
    fn what_both_did_in_different_places_is_put_together() {
        let merged = three_way(BASE, "a\nB\nc\nd\ne\nf\ng\n", "a\nb\nc\nd\ne\nf\nG\nh\n").unwrap();
        assert_eq!(merged, "a\nB\nc\nd\ne\nf\nG\nh\n");
        assert_eq!(three_way(BASE, "mine\n", BASE).unwrap(), "mine\n");
        assert_eq!(three_way(BASE, "same\n", "same\n").unwrap(), "same\n");
    }

    #[test]
    fn a_clash_says_where_and_what() {
        let unmerged = three_way(BASE, "new\na\nB\nc\nd\ne\nF\ng\n", "a\nX\nc\nd\ne\nY\ng\n").unwrap_err();
        let [first, second] = unmerged.clashes.as_slice() else { panic!("{unmerged:?}") };
        assert_eq!((first.line, first.theirs.as_str()), (3, "X"));
        let (line, yours, before) = (second.line, second.yours.as_str(), second.before.as_str());
        assert_eq!((line, yours, before), (7, "F", "f"));
        assert!(unmerged.marked.contains("<<<<<<< ours\nF\n"));
    }

    #[test]
    fn what_was_taken_away_clashes_too() {
        let unmerged = three_way(BASE, "a\nb\nc\nd\n", "a\nb\nc\nd\ne\nF\ng\n").unwrap_err();
        assert_eq!(unmerged.clashes.len(), 1, "{unmerged:?}");
    }

    #[test]
    fn a_diff_of_the_same_is_empty() {
        assert_eq!(unified(("old", BASE), ("new", BASE)), "");
        let diff = unified(("old", "a\n"), ("new", "b\n"));
        assert_eq!(diff, "--- old\n+++ new\n@@ -1 +1 @@\n-a\n+b\n");
    }
}
