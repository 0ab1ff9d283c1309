//! `name=value` as it is written after a verb: `k=text`, `k:=JSON`, `k=@FILE`, and `k=-` for what is asked
//! without echo.

use std::fs;
use std::io::{self, IsTerminal, Read};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::cli::failure::Usage;
use crate::model::json;

/// A file may be a param, and so no larger than the largest params.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// A line of stdin is a secret, not a book.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// All pairs as one map. What is asked for is asked in their order.
pub fn read(pairs: &[String]) -> Result<Map<String, Value>> {
    let mut map = Map::new();
    for pair in pairs {
        let (name, value) = one(pair)?;
        if map.insert(name.to_owned(), value).is_some() {
            return Err(Usage(format!("`{name}` is given twice")).into());
        }
    }
    Ok(map)
}

fn one(pair: &str) -> Result<(&str, Value)> {
    let bad = || {
        let shown: String =
            pair.chars().take_while(|it| it.is_alphanumeric() || "_-.".contains(*it)).collect();
        Usage(format!("`{shown}` has no value; hint: write name=text, name:=JSON, name=@FILE or name=-"))
    };
    let (name, value) = pair.split_once('=').ok_or_else(bad)?;
    match (name.strip_suffix(':'), value) {
        (Some(""), _) => Err(bad().into()),
        (Some(name), text) => {
            let value = json::read(text);
            let hint = "hint: quote it for the shell, as in 'n:=[1, 2]'";
            Ok((name, value.map_err(|error| Usage(format!("`{name}` is no JSON: {error}; {hint}")))?))
        }
        (None, _) if name.is_empty() => Err(bad().into()),
        (None, "-") => Ok((name, Value::from(asked(name)?))),
        (None, text) => match text.strip_prefix('@') {
            Some(path) => Ok((name, Value::from(file(name, path)?))),
            None => Ok((name, Value::from(text))),
        },
    }
}

fn file(name: &str, path: &str) -> Result<String> {
    let cannot = || format!("`{name}` cannot be read from `{path}`");
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|it| it.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .with_context(cannot)?;
    // Editors end a file with a line break; a key that ends with one is no good.
    if text.ends_with('\n') && text.matches('\n').count() == 1 {
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
    }
    Ok(text)
}

/// Asks at the terminal without echo; what is no terminal gives a line.
pub fn asked(name: &str) -> Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(format!("{name}: ")).context("nothing was typed");
    }
    line(name)
}

/// The next line of stdin. Read byte by byte, so that the next one stays there for the next question.
fn line(name: &str) -> Result<String> {
    let mut line = Vec::new();
    let mut stdin = io::stdin().lock();
    for byte in stdin.by_ref().take(LINE_BYTES_MAX).bytes() {
        match byte? {
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    let line = String::from_utf8(line).with_context(|| format!("`{name}` on stdin is no text"))?;
    let line = line.trim_end_matches('\r');
    if line.is_empty() {
        return Err(Usage(format!("stdin has no line for `{name}`")).into());
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pair_is_text_unless_it_says_json() {
        let pairs = ["a=1", "b:=1", "c:={\"x\": [true]}", "d=", "e=x=y"].map(str::to_owned);
        let map = read(&pairs).unwrap();
        assert_eq!(Value::Object(map), json!({"a": "1", "b": 1, "c": {"x": [true]}, "d": "", "e": "x=y"}));
    }

    #[test]
    fn a_pair_without_a_name_or_a_value_is_refused_without_being_shown_whole() {
        for bad in ["token", "=x", ":=1", "a:=x"] {
            assert!(one(bad).unwrap_err().downcast_ref::<Usage>().is_some(), "{bad}");
        }
        let error = read(&["a=1".to_owned(), "a=2".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "`a` is given twice");
    }

    #[test]
    fn a_key_in_a_file_loses_the_line_break_of_the_editor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for (written, read) in [("k\n", "k"), ("k", "k"), ("a\nb\n", "a\nb\n")] {
            fs::write(&path, written).unwrap();
            assert_eq!(file("k", path.to_str().unwrap()).unwrap(), read);
        }
    }
}
