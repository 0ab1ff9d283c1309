//! The questions of a template, asked one by one.

use std::io::{BufRead, Write};

use anyhow::Result;
use serde_json::{Map, Value};

use crate::cli::out::{shown, text};

/// How often one question is asked of somebody who answers with what it cannot be.
const TRIES_MAX: usize = 3;

/// Asks for every param that may stand in the file. An empty answer, and the end of the input, leaves it
/// open. What is secret is not asked: it is never written into a file.
pub fn ask(template: &Value, input: &mut dyn BufRead, to: &mut dyn Write) -> Result<Map<String, Value>> {
    let mut values = Map::new();
    writeln!(to, "What you answer holds for every task; Enter leaves it open, to be given with each.")?;
    for param in params(template).filter(|it| is_question(it)) {
        match one(param, input, to)? {
            Answered::With(value) => drop(values.insert(text(param, "name").to_owned(), value)),
            Answered::Open => {}
            Answered::NoMore => break,
        }
    }
    let secret: Vec<&str> = params(template)
        .filter(|it| is(it, "secret") && it["input"] != Value::Bool(false))
        .map(|it| text(it, "name"))
        .collect();
    if !secret.is_empty() {
        writeln!(to, "Secret, so given with each task and never written here: {}", secret.join(", "))?;
    }
    Ok(values)
}

/// What became of one question.
enum Answered {
    With(Value),
    Open,
    NoMore,
}

fn one(param: &Value, input: &mut dyn BufRead, to: &mut dyn Write) -> Result<Answered> {
    for _ in 0..TRIES_MAX {
        write!(to, "{}", question(param))?;
        to.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            writeln!(to)?;
            return Ok(Answered::NoMore);
        }
        match typed(line.trim(), text(param, "type")) {
            Ok(None) => return Ok(Answered::Open),
            Ok(Some(value)) => return Ok(Answered::With(value)),
            Err(why) => writeln!(to, "  that is {why}")?,
        }
    }
    Ok(Answered::Open)
}

/// What a task must still be given, once these have answers.
pub fn still_needed<'a>(template: &'a Value, answered: &Map<String, Value>) -> Vec<&'a Value> {
    params(template).filter(|it| is(it, "required") && !answered.contains_key(text(it, "name"))).collect()
}

fn params(template: &Value) -> impl Iterator<Item = &Value> {
    template.get("params").and_then(Value::as_array).into_iter().flatten()
}

fn is(param: &Value, name: &str) -> bool {
    param.get(name).and_then(Value::as_bool) == Some(true)
}

/// A secret is never written into a file, and what the process writes itself is asked of no one.
fn is_question(param: &Value) -> bool {
    !is(param, "secret") && param.get("input").and_then(Value::as_bool) != Some(false)
}

/// One question: what it is about, an example, and what holds without an answer.
fn question(param: &Value) -> String {
    let note = |word: &str, value: &Value| match shown(value) {
        it if it.is_empty() => String::new(),
        it => format!("  {word} {it}\n"),
    };
    let about = match text(param, "about") {
        "" => String::new(),
        about => format!("  {about}\n"),
    };
    let default = match shown(&param["default"]) {
        it if !it.is_empty() => format!(" [{it}]"),
        _ if is(param, "required") => " (every task needs it)".to_owned(),
        _ => String::new(),
    };
    let name = text(param, "name");
    format!("\n{about}{}{name}{default}: ", note("such as", &param["example"]))
}

/// The answer as its type wants it; none if it was left open.
fn typed(line: &str, kind: &str) -> Result<Option<Value>, String> {
    let json: Option<Value> = serde_json::from_str(line).ok();
    let value = match (kind, json) {
        _ if line.is_empty() => return Ok(None),
        ("string", _) => Value::from(line),
        ("any", json) => json.unwrap_or_else(|| Value::from(line)),
        ("boolean", _) if matches!(line, "yes" | "y") => Value::Bool(true),
        ("boolean", _) if matches!(line, "no" | "n") => Value::Bool(false),
        (kind, Some(json)) if fits(kind, &json) => json,
        ("boolean", _) => return Err("neither yes nor no".to_owned()),
        ("integer", _) => return Err("no whole number".to_owned()),
        ("number", _) => return Err("no number".to_owned()),
        ("array", _) => return Err("no list; write it as JSON: [\"a\", \"b\"]".to_owned()),
        ("object", _) => return Err("no map; write it as JSON: {\"a\": 1}".to_owned()),
        (_, _) => Value::from(line),
    };
    Ok(Some(value))
}

fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Value {
        json!({"params": [
            {"name": "portal", "type": "string", "required": true, "about": "Which one", "example": "acme"},
            {"name": "key", "type": "string", "required": true, "secret": true},
            {"name": "pkce", "type": "boolean", "default": true},
            {"name": "times", "type": "integer", "default": 3},
            {"name": "token", "type": "string", "input": false},
            {"name": "tags", "type": "array"},
        ]})
    }

    fn talk(typed: &str) -> (Map<String, Value>, String) {
        let mut said = Vec::new();
        let values = ask(&template(), &mut typed.as_bytes(), &mut said).unwrap();
        (values, String::from_utf8(said).unwrap())
    }

    #[test]
    fn each_question_shows_what_it_is_about_and_what_holds_without_an_answer() {
        let (values, said) = talk("acme\nno\n\n[\"a\"]\n");
        assert_eq!(Value::Object(values), json!({"portal": "acme", "pkce": false, "tags": ["a"]}));
        let portal = "  Which one\n  such as acme\nportal (every task needs it): ";
        assert!(said.contains(portal) && said.contains("times [3]: "), "{said}");
        assert!(said.contains("never written here: key"), "{said}");
        assert!(!said.contains("key:") && !said.contains("token"), "{said}");
    }

    #[test]
    fn what_an_answer_cannot_be_is_asked_again() {
        let (values, said) = talk("a\nperhaps\nyes\nmany\n7\n");
        assert_eq!(Value::Object(values), json!({"portal": "a", "pkce": true, "times": 7}));
        assert!(said.contains("neither yes nor no") && said.contains("no whole number"), "{said}");
        let (values, _) = talk("a\n\nx\ny\nz\n\n");
        assert_eq!(Value::Object(values), json!({"portal": "a"}), "after three tries it is left open");
    }

    #[test]
    fn the_end_of_the_input_leaves_the_rest_open() {
        let (values, _) = talk("");
        assert_eq!(values.len(), 0);
        let template = template();
        let needed: Vec<&str> = still_needed(&template, &values).iter().map(|it| text(it, "name")).collect();
        assert_eq!(needed, ["portal", "key"]);
    }
}
