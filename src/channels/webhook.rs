//! `webhook`: a POST of JSON to a URL of yours.
//!
//! ```yaml
//! author: {via: webhook, url: "{{secret.alarms_url}}", secret: "{{secret.alarms}}"}
//! ```
//!
//! The body is `{"subject": …, "text": …, "key": …}`; the key is the same for every try, here and in the
//! header `Idempotency-Key`. With a secret there is a header `Beltline-Signature: t=SECONDS,v1=HEX`: HEX is
//! the HMAC-SHA256, under the secret, of the seconds since 1970, a dot, and the body as it came. Refuse what
//! does not agree, or is older than five minutes. An answer of 2xx is a message taken, and an `id` in it is
//! shown; redirects are not followed.

use serde_json::{Map, Value, json};

use crate::channels::refusal::{refused, strange};
use crate::channels::spec::{ChannelSettings, ChannelSpec, Field, Message, Post, Reply, post};
use crate::channels::words::{one_line, said, words};
use crate::model::effect::{Auth, Body, HttpAnswer, HttpRequest};
use crate::model::fault::Fault;

/// How this channel is set up.
pub const SPEC: ChannelSpec = ChannelSpec {
    name: "webhook",
    about: "a POST of JSON to a URL of yours",
    source: include_str!("webhook.rs"),
    fields: &FIELDS,
    request,
    read,
};

const FIELDS: [Field; 2] = [
    // Whoever knows it may send there: services give out such addresses as keys.
    Field::required("url", "where it is sent").secret(),
    Field::optional("secret", "signs it; as long and as random as a password").secret(),
];

/// The longest text, in UTF-16 units.
const TEXT_MAX: usize = 100_000;

fn request(config: &Map<String, Value>, message: &Message) -> Result<Post, Fault> {
    let settings = ChannelSettings::read(&FIELDS, config)?;
    let text = said(message, TEXT_MAX)?;
    let body = json!({"subject": one_line(&message.subject), "text": text, "key": message.key});
    let auth = match settings.get("secret") {
        "" => None,
        secret => Some(Auth::Signed(secret.to_owned())),
    };
    // 2xx is a message taken, whatever is said beside it: it must not be told again.
    let ask = HttpRequest { auth, unread: true, ..post(settings.get("url").to_owned(), Body::Json(body)) };
    Ok(Post::Http(Box::new(ask)))
}

fn read(answer: &HttpAnswer) -> Result<Reply, Fault> {
    let body = &answer.body;
    let id = match body.get("id") {
        Some(Value::String(id)) => words(id),
        Some(Value::Number(id)) => id.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
    };
    let said = ["message", "detail", "title", "error"].into_iter().find_map(|it| body.get(it)?.as_str());
    match answer.status {
        200..=299 => Ok(Reply::Taken(id)),
        300..=399 => Err(strange(answer, "it redirects; hint: set the url that it leads to")),
        _ => Err(refused(answer, said.unwrap_or_default())),
    }
}
