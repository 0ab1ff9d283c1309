//! [`Mistake`]: what is wrong with one text a person wrote, and where in it.

use std::ops::Range;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
    /// Where in the text, in bytes, if that is known.
    pub at: Option<Range<usize>>,
}

impl Mistake {
    /// A mistake somewhere in the text.
    pub fn new(message: impl Into<String>) -> Mistake {
        Mistake { message: message.into(), hint: None, at: None }
    }

    /// With what would help.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Mistake {
        self.hint = Some(hint.into());
        self
    }

    /// With where it is.
    #[must_use]
    pub fn at(mut self, at: Range<usize>) -> Mistake {
        self.at = Some(at);
        self
    }
}

/// On one line, as where there is no file to point into.
impl std::fmt::Display for Mistake {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(to, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}
