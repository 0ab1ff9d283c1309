//! `name=value` as it is written after a verb: `k=text`, `k:=JSON`, `k=@FILE`, and `k=-` for what is asked
//! without echo; `k:=@FILE` and `k:=-` are JSON from there.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal, Read};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::cli::failure::Usage;
use crate::model::charset::saved;
use crate::model::json;

/// A file may be a param, and so no larger than the largest params.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest line of stdin that is a value, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// All pairs as one map. What is asked for is asked in their order.
pub fn read(pairs: &[String]) -> Result<Map<String, Value>> {
    read_as(pairs, |_, text| Value::from(text))
}

/// The same, where `value` says what a text without `:=`, `@` and `-` is.
pub fn read_as(pairs: &[String], value: impl Fn(&str, &str) -> Value) -> Result<Map<String, Value>> {
    let asks = pairs.iter().filter(|it| it.ends_with("=-")).count();
    let ask = if asks > 1 { asked } else { whole };
    let mut map = Map::new();
    for pair in pairs {
        let (name, value) = one(pair, &value, ask)?;
        if map.insert(name.to_owned(), value).is_some() {
            return Err(Usage(format!("`{name}` is given twice")).into());
        }
    }
    if asks > 1 {
        no_more(asks)?;
    }
    Ok(map)
}

fn one(
    pair: &str,
    value: impl Fn(&str, &str) -> Value,
    ask: impl Fn(&str) -> Result<String>,
) -> Result<(&str, Value)> {
    let bad = || {
        let shown: String =
            pair.chars().take_while(|it| it.is_alphanumeric() || "_-.".contains(*it)).collect();
        Usage(format!("`{shown}` has no value; hint: write name=text, name:=JSON, name=@FILE or name=-"))
    };
    let (name, text) = pair.split_once('=').ok_or_else(bad)?;
    match (name.strip_suffix(':'), text) {
        (Some(""), _) => Err(bad().into()),
        (Some(name), text) => {
            let text = brought(name, text, ask)?;
            let hint = match text {
                Cow::Borrowed(_) => "; hint: quote it for the shell, as in 'n:=[1, 2]'",
                Cow::Owned(_) => "",
            };
            let value = json::read(&text);
            Ok((name, value.map_err(|error| Usage(format!("`{name}` is no JSON: {error}{hint}")))?))
        }
        (None, _) if name.is_empty() => Err(bad().into()),
        (None, text) => Ok((name, value(name, &brought(name, text, ask)?))),
    }
}

/// What is written there, or what a file or stdin has in its stead.
fn brought<'a>(name: &str, text: &'a str, ask: impl Fn(&str) -> Result<String>) -> Result<Cow<'a, str>> {
    match (text, text.strip_prefix('@')) {
        ("-", _) => ask(name).map(Cow::Owned),
        (_, Some(path)) => file(name, path).map(Cow::Owned),
        (_, None) => Ok(Cow::Borrowed(text)),
    }
}

fn file(name: &str, path: &str) -> Result<String> {
    let file = File::open(path).with_context(|| {
        // A channel of Telegram, or a person, is named so too.
        let text = Value::from(format!("@{path}"));
        format!(
            "`{name}` cannot be read from `{path}`; hint: if the text `@{path}` is meant: '{name}:={text}'"
        )
    })?;
    all(name, path, file)
}

/// Asks at the terminal without echo; what is no terminal gives all that it has.
pub fn whole(name: &str) -> Result<String> {
    if io::stdin().is_terminal() {
        return asked(name);
    }
    let text = all(name, "stdin", io::stdin().lock())?;
    if text.is_empty() { Err(Usage(format!("stdin has nothing for `{name}`")).into()) } else { Ok(text) }
}

/// All that is there. What is one line loses its line break: editors and `echo` make it, and a key that ends
/// with one is no good.
fn all(name: &str, place: &str, from: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    let read = from.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("`{name}` cannot be read from `{place}`"))?;
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("`{name}`: `{place}` has more than {FILE_BYTES_MAX} bytes");
        return Err(Usage(message).into());
    }
    let mut text = saved(&bytes).ok_or_else(|| no_text(name, place))?;
    if text.ends_with('\n') && text.matches('\n').count() == 1 {
        text.truncate(unbroken(&text).len());
    }
    Ok(text)
}

/// A line without its line break, of which it has one.
fn unbroken(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

fn no_text(name: &str, place: &str) -> Usage {
    Usage(format!("`{name}`: `{place}` is no text in UTF-8; hint: save it as UTF-8, or send it as base64"))
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
    for byte in io::stdin().lock().bytes() {
        match byte? {
            b'\n' => break,
            _ if line.len() == LINE_BYTES_MAX => {
                return Err(
                    Usage(format!("the line for `{name}` has more than {LINE_BYTES_MAX} bytes")).into()
                );
            }
            byte => line.push(byte),
        }
    }
    let line = saved(&line).ok_or_else(|| no_text(name, "stdin"))?;
    let line = line.strip_suffix('\r').unwrap_or(&line);
    if line.is_empty() {
        return Err(Usage(format!("stdin has no line for `{name}`")).into());
    }
    Ok(line.to_owned())
}

/// Refuses what nobody asked for: it would be lost without a word.
fn no_more(asked: usize) -> Result<()> {
    if io::stdin().is_terminal() || io::stdin().lock().bytes().next().is_none() {
        return Ok(());
    }
    Err(Usage(format!("stdin has more than the {asked} lines that are asked for")).into())
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            assert!(read(&[bad.to_owned()]).unwrap_err().downcast_ref::<Usage>().is_some(), "{bad}");
        }
        let error = read(&["a=1".to_owned(), "a=2".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "`a` is given twice");
    }

    #[test]
    fn a_key_in_a_file_loses_the_line_break_of_the_editor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for (written, read) in [
            ("k\n", "k"),
            ("k\r\n", "k"),
            ("k", "k"),
            ("\u{feff}k\r\n", "k"),
            ("a\nb\n", "a\nb\n"),
            ("k\r\r\n", "k\r"),
        ] {
            fs::write(&path, written).unwrap();
            assert_eq!(file("k", path.to_str().unwrap()).unwrap(), read);
        }
    }

    #[test]
    fn a_text_with_an_at_sign_is_shown_how_to_be_written() {
        let error = read(&["chat_id=@no/such/news".to_owned()]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(r#"hint: if the text `@no/such/news` is meant: 'chat_id:="@no/such/news"'"#)
        );
        assert_eq!(read(&[r#"chat_id:="@news""#.to_owned()]).unwrap()["chat_id"], "@news");
    }

    #[test]
    fn a_file_is_json_or_what_the_param_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("o.json");
        fs::write(&path, "{\"a\": 1}\n").unwrap();
        let pair = |sign: &str| [format!("o{sign}@{}", path.display())];
        assert_eq!(read(&pair(":=")).unwrap()["o"], json!({"a": 1}));
        assert_eq!(read(&pair("=")).unwrap()["o"], json!("{\"a\": 1}"));
        let typed = read_as(&pair("="), |_, text| json::read(text).unwrap()).unwrap();
        assert_eq!(typed["o"], json!({"a": 1}));
        fs::write(&path, "{").unwrap();
        let error = read(&pair(":=")).unwrap_err().to_string();
        assert!(error.starts_with("`o` is no JSON") && !error.contains("shell"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_and_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, b"caf\xe9").unwrap();
        let error = file("k", path.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("no text in UTF-8"), "{error}");
        fs::write(&path, vec![b'x'; FILE_BYTES_MAX + 1]).unwrap();
        let error = file("k", path.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("more than 16777216 bytes"), "{error}");
    }
}
