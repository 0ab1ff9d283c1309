//! Whether a process takes the params it is given, and what it makes of them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::calendar::moment;
use crate::model::fault::Fault;
use crate::model::json;
use crate::model::names::NodeName;
use crate::model::near::nearest;
use crate::model::params::Params;
use crate::process::check_params::{bad_name, unfit};
use crate::process::process::{ParamKind, ParamSpec, Process};

/// The params a task begins with: what was given and the defaults. Params that the process does not declare
/// are fine.
///
/// # Errors Every param that will not do, by its name: `missing_param`, `bad_param`; `params_too_large` under
/// `params`.
pub fn validate_params(process: &Process, given: Params) -> Result<Params, Vec<(String, Fault)>> {
    let mut faults = unnameable(&given);
    let mut params = whole(process, given);
    for spec in &process.params {
        match (params.get(&spec.name), &spec.default) {
            (Some(value), _) => faults.extend(misfit(process, spec, value)),
            (None, Some(default)) => params.set(&spec.name, default.clone()),
            (None, None) if spec.required => {
                faults.push((spec.name.clone(), missing(process, spec, &params)));
            }
            (None, None) => {}
        }
    }
    faults.extend(moments(process, &params));
    faults.extend(fits(process, &params).err().map(|fault| ("params".to_owned(), fault)));
    if faults.is_empty() { Ok(params) } else { Err(faults) }
}

/// The same params, with whole numbers as such where the process declares them.
#[must_use]
pub fn whole(process: &Process, params: Params) -> Params {
    let mut params = params;
    for spec in process.params.iter().filter(|it| it.kind == ParamKind::Integer) {
        if let Some(whole) = params.get(&spec.name).and_then(json::whole) {
            params.set(&spec.name, Value::from(whole));
        }
    }
    params
}

/// The same params, of a sender that knows nothing but texts, as forms, queries and XML do: each is what the
/// process declares, if it reads as that. A field that was left empty brings no number.
#[must_use]
pub fn of_texts(process: &Process, params: Params) -> Params {
    let mut params = params;
    for spec in process.params.iter().filter(|it| !matches!(it.kind, ParamKind::String | ParamKind::Any)) {
        let Some(Value::String(text)) = params.get(&spec.name) else { continue };
        let value = coerce(spec.kind, text);
        match text.trim().is_empty() {
            true => params.unset(&spec.name),
            false if unfit(spec.kind, &value).is_none() => params.set(&spec.name, value),
            false => {}
        }
    }
    params
}

/// The params of a signal to a task of the process, checked: what is declared has its type, or is taken away
/// with null.
///
/// # Errors
/// A fault for every param that is not as declared.
pub fn typed(process: &Process, params: &Params) -> Result<(), Vec<(String, Fault)>> {
    let mut faults = unnameable(params);
    for spec in &process.params {
        let given = params.get(&spec.name).filter(|value| !value.is_null());
        faults.extend(given.and_then(|value| misfit(process, spec, value)));
    }
    faults.extend(moments(process, params));
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What a person may put in while the task stands on `node`: what that accepts, and what is put in anywhere.
#[must_use]
pub fn accepted<'a>(process: &'a Process, node: &NodeName) -> Vec<&'a str> {
    let anywhere = process.params.iter().filter(|it| it.modify).map(|it| it.name.as_str());
    let here = process.node(node).and_then(|it| it.kind.accepts()).unwrap_or_default();
    anywhere.chain(here).collect()
}

/// Refuses what only the process itself writes, unless it is among `accepted`.
///
/// # Errors
/// A `bad_param` for each of them.
pub fn handed_in(process: &Process, params: &Params, accepted: &[&str]) -> Result<(), Vec<(String, Fault)>> {
    let own = process.params.iter().filter(|it| !it.input && !accepted.contains(&it.name.as_str()));
    let given = own.filter(|it| params.get(&it.name).is_some());
    let faults: Vec<(String, Fault)> = given
        .map(|it| {
            let message = format!(
                "process `{}` alone writes the param `{}` (`input: false`); hint: leave it out",
                process.id, it.name
            );
            (it.name.clone(), Fault::lasting("bad_param", message))
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Whether params are small enough for the process, whoever writes them.
///
/// # Errors
/// `params_too_large`.
pub fn fits(process: &Process, params: &Params) -> Result<(), Fault> {
    let (bytes, most) = (params.bytes(), process.limits.params_bytes);
    if bytes <= most {
        return Ok(());
    }
    let message = format!(
        "the params have {bytes} bytes, and process `{}` takes at most {most}; hint: send less, or raise \
         `limits: {{params: …}}` in its file",
        process.id
    );
    Err(Fault::lasting("params_too_large", message))
}

/// What `key=value` means for a param of that kind. What cannot be read as the kind stays a text, and is
/// refused as such by [`admit`].
pub fn coerce(kind: ParamKind, text: &str) -> Value {
    let as_json = || json::read(text).unwrap_or_else(|_| Value::from(text));
    match kind {
        ParamKind::String | ParamKind::Any => Value::from(text),
        // As Python and spreadsheets write it.
        ParamKind::Boolean if text.eq_ignore_ascii_case("true") => Value::from(true),
        ParamKind::Boolean if text.eq_ignore_ascii_case("false") => Value::from(false),
        ParamKind::Number
        | ParamKind::Integer
        | ParamKind::Boolean
        | ParamKind::Object
        | ParamKind::Array => as_json(),
    }
}

fn unnameable(given: &Params) -> Vec<(String, Fault)> {
    let bad = given.map().keys().filter_map(|name| Some((name, bad_name(name)?)));
    bad.map(|(name, why)| (name.clone(), Fault::lasting("bad_param", why))).collect()
}

fn missing(process: &Process, spec: &ParamSpec, given: &Params) -> Fault {
    let about = match (spec.about.as_str(), &spec.example) {
        ("", None) => String::new(),
        (about, None) => format!(" ({about})"),
        ("", Some(example)) => format!(" (such as {example})"),
        (about, Some(example)) => format!(" ({about}, such as {example})"),
    };
    let strange = given.map().keys().filter(|name| process.params.iter().all(|it| it.name != **name));
    let hint = match nearest(&spec.name, strange.map(String::as_str)) {
        Some(near) => format!("`{near}` was given, which it does not know"),
        None => "give it at submit".to_owned(),
    };
    let message = format!("process `{}` needs the param `{}`{about}; hint: {hint}", process.id, spec.name);
    Fault::lasting("missing_param", message)
}

/// What is given as the moment of a value's life, and is none. Without it nobody would be warned, in silence.
fn moments(process: &Process, params: &Params) -> Vec<(String, Fault)> {
    let expiries = process.params.iter().filter_map(|it| it.expiry.as_ref());
    let names = expiries.flat_map(|it| [Some(&it.at), it.issued.as_ref(), it.warn_at.as_ref()]);
    let names: BTreeSet<&String> = names.flatten().collect();
    let given = names.into_iter().filter_map(|name| Some((name, params.get(name)?)));
    let bad = given.filter(|(_, value)| !value.is_null() && *value != "").filter_map(|(name, value)| {
        let why = moment::read(value).err()?;
        let message = format!("the param `{name}` of process `{}` {why}", process.id);
        Some((name.clone(), Fault::lasting("bad_param", message)))
    });
    bad.collect()
}

/// Never tells the value: it may be a secret.
fn misfit(process: &Process, spec: &ParamSpec, value: &Value) -> Option<(String, Fault)> {
    let mut why = unfit(spec.kind, value)?;
    let hint = match (spec.kind, value) {
        (_, Value::Null) => "; hint: leave it out",
        (ParamKind::String, Value::Number(_) | Value::Bool(_)) => "; hint: put it in quotes",
        // It may have come as a number: such ones are read as their digits.
        (ParamKind::Number | ParamKind::Integer, Value::String(text)) if json::loses(text) => {
            "has more digits than a number keeps".clone_into(&mut why);
            "; hint: round it, or declare the param `type: string`, which keeps them all"
        }
        (kind, Value::String(text)) if unfit(kind, &coerce(kind, text)).is_none() => {
            "; hint: without quotes in JSON, with `:=` on the command line"
        }
        (ParamKind::Boolean, _) => "; hint: it is `true` or `false`",
        (ParamKind::Integer, _) => "; hint: it has digits alone, and no 0 before them: 7, -7",
        (ParamKind::Number, _) => "; hint: it is written as in JSON, with a point and a digit before it: 0.5",
        (ParamKind::Array, _) => "; hint: it is a JSON list, as [1, 2] or [\"a\", \"b\"]",
        (ParamKind::Object, _) => "; hint: it is a JSON map, as {\"a\": 1}",
        (ParamKind::String | ParamKind::Any, _) => "",
    };
    let message = format!("the param `{}` of process `{}` {why}{hint}", spec.name, process.id);
    Some((spec.name.clone(), Fault::lasting("bad_param", message)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::process::parse::parse_with;
    use crate::process::sample::KINDS;

    const TEXT: &str = "process: p\nparams:\n  \
        city: {type: string, required: true, about: Where, example: Riga}\n  \
        times: {type: integer, default: 3}\n  deep: {type: object}\nlimits: {params: 100}\nnodes:\n  \
        start: {kind: input, next: done}\n  done: {kind: end}\n";

    fn told(given: Value) -> String {
        let process = parse_with(KINDS, TEXT).unwrap();
        let Value::Object(given) = given else { panic!("params are an object") };
        match validate_params(&process, given.into()) {
            Ok(params) => serde_json::to_string(&params).unwrap(),
            Err(faults) => {
                let lines = faults.iter().map(|(name, it)| format!("{name}: {}: {}", it.code, it.message));
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }

    #[test]
    fn params_are_taken_or_told() {
        assert_eq!(told(json!({"city": "Riga", "more": [1]})), r#"{"city":"Riga","more":[1],"times":3}"#);
        assert_eq!(told(json!({"city": "Riga", "times": 7.0})), r#"{"city":"Riga","times":7}"#);
        let near = told(json!({"cty": "Riga", "more": 1}));
        assert!(near.contains("needs the param `city`") && near.contains("hint: `cty` was given"), "{near}");
        insta::assert_snapshot!(told(json!({"city": 5, "times": "3", "deep": null, "task": 1})));
        insta::assert_snapshot!(told(json!({"times": 4.0, "more": "x".repeat(100)})));
    }

    #[test]
    fn texts_are_read_as_what_is_declared() {
        let text = "process: p\nparams:\n  i: {type: integer}\n  b: {type: boolean}\n  l: {type: array}\n  \
                    s: {type: string}\n  a: {}\nnodes:\n  in: {kind: input, next: out}\n  out: {kind: end}\n";
        let process = parse_with(KINDS, text).unwrap();
        for (given, read) in [
            (json!({"i": " 7", "b": "true", "l": "[1]"}), json!({"i": 7, "b": true, "l": [1]})),
            (json!({"i": "007", "b": "yes", "l": "x"}), json!({"i": "007", "b": "yes", "l": "x"})),
            (json!({"i": "", "s": "7", "a": "7", "x": "7"}), json!({"s": "7", "a": "7", "x": "7"})),
        ] {
            let Value::Object(given) = given else { panic!("params are an object") };
            let read_now = of_texts(&process, given.into());
            assert_eq!(Value::Object(read_now.map().clone()), read);
        }
    }

    #[test]
    fn a_moment_that_is_none_is_told_to_who_gives_it() {
        let text = "process: p\nparams:\n  token: {expiry: {at: end, issued: start, warn_at: wake}}\n  \
                    end: {}\n  start: {}\n  wake: {}\nnodes:\n  in: {kind: input, next: out}\n  \
                    out: {kind: end}\n";
        let process = parse_with(KINDS, text).unwrap();
        let faults = |given: Value, admitting: bool| -> Vec<String> {
            let Value::Object(given) = given else { panic!("params are an object") };
            let done = match admitting {
                true => validate_params(&process, given.into()).map(|_| ()),
                false => typed(&process, &given.into()),
            };
            done.err()
                .unwrap_or_default()
                .into_iter()
                .map(|(name, it)| format!("{name}: {}", it.message))
                .collect()
        };
        for admitting in [true, false] {
            for name in ["end", "start", "wake"] {
                let told = faults(json!({name: 1_796_050_800_000_i64}), admitting);
                assert!(told.len() == 1 && told[0].starts_with(&format!("{name}: ")), "{told:?}");
                assert!(told[0].contains("is in milliseconds (2026-11-30T15:00:00Z)"), "{told:?}");
                assert!(faults(json!({name: "soon"}), admitting)[0].contains("is no moment"));
            }
            for good in
                [json!(1_796_050_800), json!("1796050800"), json!("2026-11-30T15:00:00Z"), json!(null)]
            {
                assert!(faults(json!({"end": good}), admitting).is_empty(), "{good}");
            }
        }
    }

    #[test]
    fn a_word_of_the_command_line_is_what_the_param_is() {
        use ParamKind::{Any, Array, Boolean, Integer, Number, Object, String};
        for (kind, text, value) in [
            (String, "007", json!("007")),
            (Any, "7", json!("7")),
            (Integer, "7", json!(7)),
            (Integer, "007", json!("007")),
            (Number, "1.5", json!(1.5)),
            (Boolean, "true", json!(true)),
            (Object, "{\"a\": 1}", json!({"a": 1})),
            (Array, "[1]", json!([1])),
            (Array, "[1", json!("[1")),
        ] {
            assert_eq!(coerce(kind, text), value);
        }
    }
}
