//! [`Finding`]: what one look of `doctor` found.

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It will not stay good.
    Warn,
    /// Something is broken.
    Fail,
}

/// What one look found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How good it is.
    pub level: Level,
    /// What was looked at.
    pub what: &'static str,
    /// What was found, in words.
    pub found: String,
    /// What a person can do about it; empty if nothing is to be done.
    pub remedy: String,
}

/// It is as it should be.
pub fn ok(what: &'static str, found: impl Into<String>) -> Finding {
    Finding { level: Level::Ok, what, found: found.into(), remedy: String::new() }
}

/// It will not stay good.
pub fn warn(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { level: Level::Warn, what, found: found.into(), remedy: remedy.into() }
}

/// Something is broken.
pub fn fail(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { level: Level::Fail, what, found: found.into(), remedy: remedy.into() }
}
