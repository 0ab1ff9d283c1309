//! `messagebird`: a text message to a phone, by MessageBird, which is called Bird now.
//!
//! ```yaml
//! author:
//!   via: messagebird
//!   api: v1                                # or classic, which is what holds if it is not given
//!   access_key: "{{secret.bird}}"
//!   from: Beltline
//!   to: "+31612345678"
//! ```
//!
//! Classic takes several numbers with commas between, v1 takes one.

use serde_json::{Map, Value, json};

use crate::channels::refusal::{Why, refused, strange};
use crate::channels::spec::{ChannelSettings, ChannelSpec, Field, Message, Post, Reply, bad, post};
use crate::channels::words::{noted, several, texted};
use crate::model::effect::{Auth, Body, HttpAnswer, HttpRequest};
use crate::model::fault::Fault;

/// How this channel is set up.
pub const SPEC: ChannelSpec = ChannelSpec {
    name: "messagebird",
    about: "a text message to a phone, by MessageBird",
    source: include_str!("messagebird.rs"),
    fields: &FIELDS,
    request,
    read,
};

const FIELDS: [Field; 5] = [
    Field::optional("api", "classic, or v1 for a key that begins with bird_").or("classic"),
    Field::required("access_key", "the key; one for tests sends nothing").secret(),
    Field::required("from", "the number it comes from, or a name of at most 11 letters and digits"),
    Field::required("to", "the phone, `+31612345678`"),
    Field::optional("base_url", "where MessageBird is, if not where `api` says"),
];

/// The longest message: nine parts of 153 characters, or of 67 if there are others than plain ones.
const PLAIN_MAX: usize = 1_377;
const UNITS_MAX: usize = 603;
/// What becomes of a message to one phone that will not arrive.
const LOST: [&str; 6] = ["delivery_failed", "expired", "failed", "rejected", "undelivered", "canceled"];
/// Error codes of classic.
const KEY_CODE: u64 = 2;
const BALANCE_CODE: u64 = 25;
const INTERNAL_CODE: u64 = 99;

fn request(config: &Map<String, Value>, message: &Message) -> Result<Post, Fault> {
    let settings = ChannelSettings::read(&FIELDS, config)?;
    let (key, from, to) = (settings.get("access_key"), settings.get("from"), several(settings.get("to")));
    let text = texted(message, PLAIN_MAX, UNITS_MAX)?;
    let base = |known: &'static str| match settings.url("base_url") {
        "" => known.to_owned(),
        given => given.to_owned(),
    };
    let ask = match (settings.get("api"), to.as_slice()) {
        ("classic", to) => {
            // `auto`: else every letter that is not plain becomes a question mark.
            let body = json!({"originator": from, "recipients": to, "body": text, "datacoding": "auto"});
            let headers = vec![("Authorization".to_owned(), format!("AccessKey {key}"))];
            let url = base("https://rest.messagebird.com") + "/messages";
            HttpRequest { headers, ..post(url, Body::Json(body)) }
        }
        ("v1", [to]) => {
            let body = json!({"from": from, "to": to, "text": text});
            let url = base("https://api.bird.com") + "/v1/sms";
            HttpRequest { auth: Some(Auth::Bearer(key.to_owned())), ..post(url, Body::Json(body)) }
        }
        ("v1", _) => return Err(bad("v1 sends to one phone; hint: set up a channel for each")),
        (other, _) => return Err(bad(format!("`{other}` is no api; hint: classic or v1"))),
    };
    Ok(Post::Http(Box::new(ask)))
}

fn read(answer: &HttpAnswer) -> Result<Reply, Fault> {
    let body = &answer.body;
    if let Some(errors) = body.get("errors").and_then(Value::as_array) {
        return Err(several_failed(answer, errors));
    }
    // The envelope of v1; its libraries wrap the same in `error` and `data`.
    let error = body.get("error").filter(|it| it.is_object()).unwrap_or(body);
    if let Some(kind) = error.get("type").and_then(Value::as_str).filter(|_| error.get("message").is_some()) {
        return Err(failed(answer, kind, error));
    }
    let made = body.get("data").filter(|it| it.is_object()).unwrap_or(body);
    match (answer.status, made.get("id").and_then(Value::as_str)) {
        (200..=299, Some(id)) => taken(answer, id, made),
        _ => Err(strange(answer, "the answer is none of MessageBird's")),
    }
}

/// Classic tells of each phone, v1 of the one there is.
fn taken(answer: &HttpAnswer, id: &str, made: &Value) -> Result<Reply, Fault> {
    let items = made.pointer("/recipients/items").and_then(Value::as_array);
    let of = |it: &Value| it.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
    let states: Vec<String> = items.map_or_else(|| vec![of(made)], |items| items.iter().map(of).collect());
    let lost: Vec<&String> = states.iter().filter(|it| LOST.contains(&it.as_str())).collect();
    match (lost.first(), lost.len() == states.len()) {
        (None, _) => Ok(Reply::Taken(id.to_owned())),
        (Some(state), true) => Err(refused(answer, &format!("the message is {state}"))),
        (Some(state), false) => {
            let note = format!("{} of {} phones: {state}", lost.len(), states.len());
            Ok(Reply::Taken(noted(id, &note)))
        }
    }
}

/// Classic: several errors in one answer.
fn several_failed(answer: &HttpAnswer, errors: &[Value]) -> Fault {
    let said = errors.iter().map(|error| {
        let told = error.get("description").and_then(Value::as_str).unwrap_or_default();
        match code(error) {
            Some(code) => format!("error {code}: {told}"),
            None => told.to_owned(),
        }
    });
    let said = said.collect::<Vec<_>>().join(", ");
    let codes: Vec<u64> = errors.iter().filter_map(code).collect();
    let why = match Why::of(answer.status) {
        _ if codes.contains(&KEY_CODE) => Why::Keys,
        _ if !codes.is_empty() && codes.iter().all(|it| *it == INTERNAL_CODE) => Why::Failed,
        why => why,
    };
    let mut fault = why.fault(answer, &said);
    if codes.contains(&BALANCE_CODE) {
        fault.message.push_str("; hint: the account is empty");
    }
    fault
}

fn code(error: &Value) -> Option<u64> {
    error.get("code").and_then(Value::as_u64)
}

/// V1: one error, of a type.
fn failed(answer: &HttpAnswer, kind: &str, error: &Value) -> Fault {
    let said = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let why = if kind == "rate_limited" { Why::Limited } else { Why::of(answer.status) };
    why.fault(answer, &format!("{kind}: {said}"))
}
