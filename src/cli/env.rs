//! [`Env`]: the environment, read once. The only file that reads it.

use std::collections::BTreeMap;

/// The variables of the environment that concern us.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<String, String>);

/// What our variables begin with.
pub const PREFIX: &str = "BELTLINE_";
/// Set to anything, it asks for no colors (<https://no-color.org>).
const NO_COLOR: &str = "NO_COLOR";
/// The byte order mark of a file.
const MARK: char = '\u{feff}';
/// What `~` means.
const HOME: &str = "HOME";
/// Where the C library looks for time zones, if it is set.
const TZDIR: &str = "TZDIR";

impl Env {
    /// As the process was given it. What is no text is not for us.
    pub fn read() -> Env {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            (name.starts_with(PREFIX) || name == NO_COLOR || name == HOME).then_some((name, value))
        });
        Env(texts.collect())
    }

    /// The line that is being typed, when the shell asks how it could go on: what stands after `--`, without
    /// the word that is not finished.
    pub fn words() -> Vec<String> {
        let all = std::env::args_os().skip_while(|it| it != "--").skip(1);
        let mut words: Vec<String> = all.map(|it| it.to_string_lossy().into_owned()).collect();
        words.pop();
        words
    }

    /// Where the machine's table of time zones lies, if somebody says so.
    pub fn zones() -> Option<std::path::PathBuf> {
        std::env::var_os(TZDIR).filter(|it| !it.is_empty()).map(Into::into)
    }

    /// A variable that is set and not empty, without the blanks around it: `$(cat FILE)` and files that were
    /// saved elsewhere bring line breaks, and the mark they begin with.
    pub fn get(&self, name: &str) -> Option<&str> {
        let blank = |it: char| it.is_whitespace() || it == MARK;
        self.0.get(name).map(|it| it.trim_matches(blank)).filter(|value| !value.is_empty())
    }

    /// The names of all that begin with our prefix.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| name.starts_with(PREFIX))
    }

    /// Whether colors are unwanted.
    pub fn no_color(&self) -> bool {
        self.get(NO_COLOR).is_some()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(pairs: [(&str, &str); N]) -> Env {
        Env(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}
