//! [`Tree`]: a YAML text as it was read, every part knowing where it stood. Shapes are read from it one by
//! one, so that *all* that is wrong can be told at once.

use std::ops::Range;

use serde_json::{Number, Value};

/// Where something stands in a file. Lines and columns count from 1, columns in characters; offsets are
/// bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A value and where it stood.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Where.
    pub spot: Spot,
    /// What.
    pub branch: Branch,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Branch {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// A map, in the order it was written.
    Map(Vec<(MapKey, Tree)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct MapKey {
    /// The key.
    pub text: String,
    /// Where it stood.
    pub spot: Spot,
}

/// What is wrong with a shape, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeError {
    /// What is wrong.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
    /// Where.
    pub spot: Spot,
}

impl Tree {
    /// The same value without its spots.
    pub fn to_value(&self) -> Value {
        match &self.branch {
            Branch::Null => Value::Null,
            Branch::Bool(bool) => Value::Bool(*bool),
            Branch::Number(number) => Value::Number(number.clone()),
            Branch::Text(text) => Value::String(text.clone()),
            Branch::List(items) => items.iter().map(Tree::to_value).collect(),
            Branch::Map(pairs) => {
                pairs.iter().map(|(key, tree)| (key.text.clone(), tree.to_value())).collect()
            }
        }
    }

    /// The entries of a map; none if this is something else.
    pub fn entries(&self) -> &[(MapKey, Tree)] {
        match &self.branch {
            Branch::Map(pairs) => pairs,
            Branch::Null | Branch::Bool(_) | Branch::Number(_) | Branch::Text(_) | Branch::List(_) => &[],
        }
    }

    /// The value under `key` of a map.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.entries().iter().find(|(it, _)| it.text == key).map(|(_, tree)| tree)
    }

    /// The text of a scalar as a name is written: a text, or a whole number.
    pub fn name(&self) -> Option<String> {
        match &self.branch {
            Branch::Text(text) => Some(text.clone()),
            Branch::Number(number) if !number.is_f64() => Some(number.to_string()),
            Branch::Null | Branch::Bool(_) | Branch::Number(_) | Branch::List(_) | Branch::Map(_) => None,
        }
    }

    /// Every text in this tree with the key it stands under ("" at the top), in the order written. The items
    /// of a list stand under the list's key.
    pub fn texts(&self) -> Vec<(&str, &str, Spot)> {
        let mut found = Vec::new();
        self.gather("", &mut found);
        found
    }

    fn gather<'a>(&'a self, under: &'a str, found: &mut Vec<(&'a str, &'a str, Spot)>) {
        match &self.branch {
            Branch::Text(text) => found.push((under, text, self.spot)),
            Branch::List(items) => items.iter().for_each(|item| item.gather(under, found)),
            Branch::Map(pairs) => pairs.iter().for_each(|(key, tree)| tree.gather(&key.text, found)),
            Branch::Null | Branch::Bool(_) | Branch::Number(_) => {}
        }
    }
}

impl Spot {
    /// The spot of the bytes `at` of `text`, which stood at this spot. A text that was not written as it
    /// reads (on several lines, or with escapes) is pointed to as a whole.
    #[must_use]
    pub fn within(self, text: &str, at: Range<usize>) -> Spot {
        let quotes = match (self.end - self.start).checked_sub(text.len()) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return self,
        };
        let (Some(before), Some(_)) = (text.get(..at.start), text.get(at.clone())) else { return self };
        Spot {
            line: self.line,
            column: self.column + quotes + before.chars().count(),
            start: self.start + quotes + at.start,
            end: self.start + quotes + at.end,
        }
    }
}
