//! Regular expressions, bounded: how large one may be, and what looking for it in a text costs. Matching
//! takes time in proportion to the text and to the size of the compiled expression, never more.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::Error;
use regex::{Regex, RegexBuilder};

use crate::model::budget::many;
use crate::model::carried::bad_value;
use crate::model::costs::draw;

/// The longest regular expression, in bytes, and how deep its groups may stand in each other.
const PATTERN_BYTES_MAX: usize = 2 * 1024;
const NEST_MAX: u32 = 32;
/// How large a compiled one may be, in bytes, and how many steps one byte of text then takes at most.
const SIZES: [(usize, u64); 4] = [(32 << 10, 4), (128 << 10, 16), (1 << 20, 64), (4 << 20, 256)];
/// What compiling takes for each of the sizes.
const COMPILE_STEPS: u64 = 2_000;
/// How many regular expressions one evaluation remembers. An expression names few.
const KNOWN_MAX: usize = 16;

/// A regular expression. A clone of one begins with nothing in its caches, so they are shared.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub regex: Regex,
    byte_steps: u64,
}

/// How letters and lines are read, and whether it must match at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    pub ignores_case: bool,
    pub by_lines: bool,
    pub at_start: bool,
}

impl Pattern {
    /// Compiles a regular expression, without paying.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(text: &str, way: Way) -> Result<Pattern, String> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!("a regular expression has at most {PATTERN_BYTES_MAX} bytes"));
        }
        let source = if way.at_start { format!(r"\A(?:{text})") } else { text.to_owned() };
        let mut failed = String::new();
        for (size, byte_steps) in SIZES {
            let built = RegexBuilder::new(&source)
                .case_insensitive(way.ignores_case)
                .multi_line(way.by_lines)
                .size_limit(size)
                .nest_limit(NEST_MAX)
                .build();
            match built {
                Ok(regex) => return Ok(Pattern { regex, byte_steps }),
                Err(regex::Error::CompiledTooBig(_)) => {
                    "the regular expression grows too large".clone_into(&mut failed);
                }
                Err(wrong) => return Err(described(text, &wrong.to_string())),
            }
        }
        Err(failed)
    }

    /// Draws on the budget for looking through a text once.
    ///
    /// # Errors
    /// `budget_exceeded`.
    pub(crate) fn pay(&self, bytes: usize) -> Result<(), Error> {
        draw(many(bytes + 8).saturating_mul(self.byte_steps) / 4, 0)
    }
}

/// The last line of what the library says; the rest draws the expression.
fn described(text: &str, wrong: &str) -> String {
    let last = wrong.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let hint = match last.contains("look-around") || last.contains("backreferences") {
        true => "; hint: what takes more than one pass over a text is not known here",
        false => "",
    };
    let shown: String = text.chars().take(60).collect();
    format!("`{shown}` is no regular expression: {last}{hint}")
}

/// The regular expressions that an evaluation has compiled.
#[derive(Debug, Default)]
pub(crate) struct Patterns(HashMap<(String, Way), Arc<Pattern>>);

impl Patterns {
    /// The regular expression, compiled and paid for if it is new.
    ///
    /// # Errors
    /// `bad_value`, `budget_exceeded`.
    pub(crate) fn get(&mut self, text: &str, way: Way) -> Result<Arc<Pattern>, Error> {
        draw(1 + many(text.len() / 8), 0)?;
        let key = (text.to_owned(), way);
        if let Some(known) = self.0.get(&key) {
            return Ok(Arc::clone(known));
        }
        draw(COMPILE_STEPS, many(text.len()))?;
        let made = Arc::new(Pattern::new(text, way).map_err(|it| bad_value(&it))?);
        draw(made.byte_steps.saturating_mul(COMPILE_STEPS), 0)?;
        if self.0.len() < KNOWN_MAX {
            self.0.insert(key, Arc::clone(&made));
        }
        Ok(made)
    }
}
