//! Forms made from what a process says of its params: one field for each, with what is wrong beside it.

use serde_json::{Map, Value};

use crate::dashboard::show;
use crate::dashboard::take::Form;
use crate::model::json;
use crate::service::errors::FieldMistake;
use crate::service::processes::ParamView;

/// What stands before the name of a param in the name of its field.
const PREFIX: &str = "p.";
/// The field for what has no field of its own.
pub(super) const MORE: &str = "more";

/// Which of the two is meant, only a person can say.
const TWICE: &str = "it is given twice: here, and among the other params; hint: leave one of them out";

/// What a field looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Line,
    Secret,
    Number,
    Yes,
    Json,
}

/// A field of a form.
#[expect(clippy::struct_field_names, reason = "it is the name of the field in the form")]
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// What labels point to.
    pub(super) id: String,
    /// As it is sent.
    pub(super) field: String,
    /// The param.
    pub(super) name: String,
    pub(super) about: String,
    pub(super) look: Look,
    pub(super) kind: &'static str,
    pub(super) required: bool,
    /// What was typed before.
    pub(super) value: String,
    /// What holds if nothing is typed, or what it might be.
    pub(super) placeholder: String,
    pub(super) wrong: Option<String>,
}

impl Field {
    /// Whether it is of that look.
    pub(super) fn is(&self, look: &str) -> bool {
        look == match self.look {
            Look::Line => "line",
            Look::Secret => "secret",
            Look::Number => "number",
            Look::Yes => "yes",
            Look::Json => "json",
        }
    }
}

/// The fields for what a task is submitted with. What was typed is still there, but for secrets.
pub(super) fn fields(params: &[ParamView], typed: Option<&Form>, wrong: &[FieldMistake]) -> Vec<Field> {
    let asked = params.iter().filter(|it| it.input);
    let field = |(at, it): (usize, &ParamView)| {
        let look = match it.kind {
            _ if it.secret => Look::Secret,
            "number" | "integer" => Look::Number,
            "boolean" => Look::Yes,
            "object" | "array" => Look::Json,
            _ => Look::Line,
        };
        let field = format!("{PREFIX}{}", it.name);
        let value =
            typed.filter(|_| !it.secret).map(|typed| typed.get(&field).to_owned()).unwrap_or_default();
        let placeholder = match (&it.default, &it.example) {
            (Some(default), _) if !show::text(default).is_empty() => show::text(default),
            (_, Some(example)) => show::text(example),
            _ => String::new(),
        };
        Field {
            id: format!("p{at}"),
            field,
            name: it.name.clone(),
            about: it.about.clone(),
            look,
            kind: it.kind,
            required: it.required,
            value,
            placeholder,
            wrong: mistake(wrong, &it.name),
        }
    };
    asked.enumerate().map(field).collect()
}

/// Only what need not be given: every field may be left as it is.
pub(super) fn optional(params: &[ParamView], typed: Option<&Form>, wrong: &[FieldMistake]) -> Vec<Field> {
    let blank = |it| Field { required: false, placeholder: String::new(), ..it };
    fields(params, typed, wrong).into_iter().map(blank).collect()
}

/// What is wrong with `name`, as a sentence.
pub(super) fn mistake(wrong: &[FieldMistake], name: &str) -> Option<String> {
    wrong.iter().find(|it| it.name == name).map(|it| {
        let (text, hint) = show::sentence(&it.message);
        hint.map_or_else(|| text.clone(), |hint| format!("{text} {hint}"))
    })
}

/// What was typed, as params. A field that was left empty brings nothing.
pub(super) fn read(params: &[ParamView], form: &Form) -> Result<Map<String, Value>, Vec<FieldMistake>> {
    let mut wrong = Vec::new();
    let mut read = Map::new();
    match form.get(MORE).trim() {
        "" => {}
        more => match json::read(more) {
            Ok(Value::Object(map)) => read = map,
            Ok(_) => wrong.push(bad(MORE, "this is no JSON object; hint: {\"name\": \"value\"}")),
            Err(error) => wrong.push(bad(MORE, &format!("this is no JSON: {error}"))),
        },
    }
    for param in params {
        let typed = form.get(&format!("{PREFIX}{}", param.name));
        if typed.is_empty() {
            continue;
        }
        if read.contains_key(&param.name) {
            wrong.push(bad(&param.name, TWICE));
            continue;
        }
        match value(param.kind, typed) {
            Ok(value) => drop(read.insert(param.name.clone(), value)),
            // What the parser says could hold a piece of what was typed, which may be secret.
            Err(_) if param.secret => wrong.push(bad(&param.name, "this is no JSON")),
            Err(error) => wrong.push(bad(&param.name, &error)),
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(wrong) }
}

/// What was typed, as the kind of a param has it. Whether it will do is the service's to say.
fn value(kind: &str, typed: &str) -> Result<Value, String> {
    match kind {
        "string" | "any" => Ok(Value::from(typed.replace("\r\n", "\n"))),
        "number" | "integer" | "boolean" => {
            Ok(json::read(typed.trim()).unwrap_or_else(|_| Value::from(typed)))
        }
        _ => json::read(typed).map_err(|error| format!("this is no JSON: {error}")),
    }
}

fn bad(name: &str, message: &str) -> FieldMistake {
    FieldMistake { name: name.to_owned(), code: "bad_param".to_owned(), message: message.to_owned() }
}
