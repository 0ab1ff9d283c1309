//! Whether the params make sense.

use serde_json::Value;

use crate::model::calendar::moment;
use crate::model::near::nearest;
use crate::model::scope::RESERVED;
use crate::model::tree::{MapKey, Spot, Tree};
use crate::process::problem::FileProblem;
use crate::process::process::{ParamKind, ParamSpec};

/// The longest name of a param, in characters.
pub const PARAM_CHARS_MAX: usize = 128;

/// All that is wrong with the params.
pub fn check(params: &[(ParamSpec, MapKey, Tree)]) -> Vec<FileProblem> {
    let one = |(param, key, tree): &(ParamSpec, MapKey, Tree)| {
        let mut problems = one(param, key, tree);
        problems.extend(expiry(param, key, tree, params));
        problems
    };
    params.iter().flat_map(one).collect()
}

/// A value's end, its beginning and its warning are moments that people may see, in other params.
fn expiry(
    param: &ParamSpec,
    key: &MapKey,
    tree: &Tree,
    all: &[(ParamSpec, MapKey, Tree)],
) -> Vec<FileProblem> {
    let name = &param.name;
    let Some(expiry) = &param.expiry else { return Vec::new() };
    let tree = tree.get("expiry").unwrap_or(tree);
    let spot = |field: &str| tree.get(field).map_or(key.spot, |tree| tree.spot);
    let mut problems = Vec::new();
    if tree.get("warn").is_some() && expiry.warn_at.is_some() {
        let message = format!("the expiry of param `{name}` has both `warn` and `warn_at`");
        problems.push(FileProblem::new(spot("warn"), message).hint("leave one of them out"));
    }
    let moments = [("at", Some(&expiry.at)), ("issued", expiry.issued.as_ref())];
    for (field, other) in moments.into_iter().chain([("warn_at", expiry.warn_at.as_ref())]) {
        let Some(other) = other else { continue };
        let said = format!("`{field}` of the expiry of param `{name}` names `{other}`");
        let numbers = "it is the name of a param with Unix seconds: `{type: integer, input: false}`";
        let problem = match all.iter().find(|(param, ..)| param.name == *other) {
            None => {
                let names: Vec<&str> = all.iter().map(|(param, ..)| param.name.as_str()).collect();
                let hint = nearest(other, names).map(|near| format!("did you mean `{near}`? {numbers}"));
                FileProblem::new(spot(field), format!("{said}, and there is no such param"))
                    .hint(hint.unwrap_or_else(|| numbers.to_owned()))
            }
            Some((param, ..)) if param.secret => {
                let message = format!("{said}, which is `secret`, but a moment is shown");
                FileProblem::new(spot(field), message).hint(numbers)
            }
            Some((param, ..)) if !may_be_a_moment(param.kind) => {
                let message = format!("{said}, which is {}", wanted(param.kind));
                FileProblem::new(spot(field), message).hint(numbers)
            }
            Some((param, key, tree)) => {
                // Each task would be refused for it.
                let bad = param.default.as_ref().filter(|it| !it.is_null() && *it != "");
                let Some(why) = bad.and_then(|it| moment::read(it).err()) else { continue };
                let why = why.to_string();
                let (why, hint) = why.split_once("; hint: ").unwrap_or((&why, numbers));
                let spot = tree.get("default").map_or(key.spot, |it| it.spot);
                FileProblem::new(spot, format!("{said}, whose default {why}")).hint(hint)
            }
        };
        problems.push(problem);
    }
    problems
}

fn may_be_a_moment(kind: ParamKind) -> bool {
    match kind {
        ParamKind::Any | ParamKind::Number | ParamKind::Integer | ParamKind::String => true,
        ParamKind::Boolean | ParamKind::Object | ParamKind::Array => false,
    }
}

fn one(param: &ParamSpec, key: &MapKey, tree: &Tree) -> Vec<FileProblem> {
    let name = &param.name;
    let mut problems = Vec::new();
    if let Some(why) = bad_name(name) {
        problems.push(FileProblem::new(key.spot, why));
    }
    let spot = |field: &str| -> Spot {
        let entry = tree.entries().iter().find(|(key, _)| key.text == field);
        entry.map_or(key.spot, |(key, _)| key.spot)
    };
    if param.shared && !param.secret {
        let message = format!("param `{name}` is `shared` but not `secret`");
        let hint =
            "what is not secret may be read by every process; leave `shared` out, or add `secret: true`";
        problems.push(FileProblem::new(spot("shared"), message).hint(hint));
    }
    if param.required && param.default.is_some() {
        let message = format!("param `{name}` is `required` and has a `default`");
        problems.push(FileProblem::new(spot("required"), message).hint("leave one of them out"));
    }
    if param.required && !param.input {
        let message =
            format!("param `{name}` is `required`, but `input: false` says that nobody is asked for it");
        problems.push(FileProblem::new(spot("input"), message).hint("leave one of them out"));
    }
    if param.modify && param.input {
        let message = format!("param `{name}` has `modify` but not `input: false`");
        let hint = "what is asked for at submit can be modified anyway; leave `modify` out";
        problems.push(FileProblem::new(spot("modify"), message).hint(hint));
    }
    for (field, value) in [("default", &param.default), ("example", &param.example)] {
        let Some(value) = value else { continue };
        if let Some(why) = unfit(param.kind, value) {
            let at = tree.get(field).map_or(key.spot, |tree| tree.spot);
            problems.push(FileProblem::new(at, format!("the {field} of `{name}` {why}")));
        }
    }
    problems
}

/// Why a param cannot have that name.
pub fn bad_name(name: &str) -> Option<String> {
    if RESERVED.contains(&name) {
        return Some(format!("`{name}` is a reserved name: templates know something else by it"));
    }
    if name.is_empty() || name.chars().any(char::is_control) {
        return Some("a param's name is not empty and holds no control characters".to_owned());
    }
    let many = name.chars().count();
    (many > PARAM_CHARS_MAX)
        .then(|| format!("a param's name has at most {PARAM_CHARS_MAX} characters, and this has {many}"))
}

/// Why a value is none of that kind: "is a text, not a number".
pub fn unfit(kind: ParamKind, value: &Value) -> Option<String> {
    let fits = match kind {
        ParamKind::Any => true,
        ParamKind::String => value.is_string(),
        ParamKind::Number => value.is_number(),
        ParamKind::Integer => is_whole(value),
        ParamKind::Boolean => value.is_boolean(),
        ParamKind::Object => value.is_object(),
        ParamKind::Array => value.is_array(),
    };
    (!fits).then(|| format!("is {}, not {}", found(value), wanted(kind)))
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|it| it.fract() == 0.0)
}

/// What a kind is called.
pub fn wanted(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Any => "a value",
        ParamKind::String => "a text",
        ParamKind::Number => "a number",
        ParamKind::Integer => "a whole number",
        ParamKind::Boolean => "true or false",
        ParamKind::Object => "a map",
        ParamKind::Array => "a list",
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(bool) => format!("`{bool}`"),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
