//! [`Tree`]: a YAML text as it was read, every part knowing where it stood. Shapes are read from it one by
//! one, so that *all* that is wrong can be told at once.

use serde::de::DeserializeOwned;
use serde_json::Number;

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
    Map(Vec<(Key, Tree)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct Key {
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
    /// Reads a shape from this tree.
    ///
    /// # Errors
    /// All that can be found wrong.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<TreeError>> {
        todo!()
    }

    /// The same value without its spots.
    pub fn to_value(&self) -> serde_json::Value {
        todo!()
    }
}
