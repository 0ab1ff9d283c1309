//! `twilio`: a text message to a phone, by Twilio.
//!
//! ```yaml
//! author:
//!   via: twilio
//!   account_sid: ACxxxxxxxx
//!   auth_token: "{{secret.twilio}}"
//!   from: "+15017122661"
//!   to: "+15558675310"
//! ```

use serde_json::{Map, Value};

use crate::channels::marks::url_part;
use crate::channels::refusal::{Why, refused, strange};
use crate::channels::spec::{ChannelSettings, ChannelSpec, Field, Message, Post, Reply, bad, form, post};
use crate::channels::words::said;
use crate::model::effect::{Auth, HttpAnswer, HttpRequest};
use crate::model::fault::Fault;

/// How this channel is set up.
pub const SPEC: ChannelSpec = ChannelSpec {
    name: "twilio",
    about: "a text message to a phone, by Twilio",
    source: include_str!("twilio.rs"),
    fields: &FIELDS,
    request,
    read,
};

const FIELDS: [Field; 7] = [
    Field::required("account_sid", "the account, `AC…`"),
    Field::optional("api_key", "an API key, `SK…`, if auth_token is its secret"),
    Field::required("auth_token", "the account's token, or the API key's secret").secret(),
    Field::optional("from", "the number it comes from, `+15017122661`"),
    Field::optional("messaging_service_sid", "instead of from: a messaging service, `MG…`"),
    Field::required("to", "the phone, `+15558675310`"),
    Field::optional("base_url", "where Twilio is").or("https://api.twilio.com"),
];

/// The longest message, in UTF-16 units.
const TEXT_MAX: usize = 1_600;
/// What Twilio calls messages that it will not deliver, though the status is 201.
const LOST: [&str; 3] = ["failed", "undelivered", "canceled"];
/// Error codes that are about the account's keys.
const KEYS: [u64; 3] = [20_003, 20_008, 20_404];
/// Too many requests; not processed, safe to retry.
const LIMITED: u64 = 20_429;

fn request(config: &Map<String, Value>, message: &Message) -> Result<Post, Fault> {
    let settings = ChannelSettings::read(&FIELDS, config)?;
    let account = settings.get("account_sid");
    let sender = match (settings.get("from"), settings.get("messaging_service_sid")) {
        ("", "") => return Err(bad("the setting `from` or `messaging_service_sid` is missing")),
        (from, "") => ("From", from),
        (_, service) => ("MessagingServiceSid", service),
    };
    let text = said(message, TEXT_MAX)?;
    let body = form([("To", settings.get("to")), sender, ("Body", &text)]);
    let user = [settings.get("api_key"), account].into_iter().find(|it| !it.is_empty());
    let auth = Auth::Basic {
        user: user.unwrap_or_default().to_owned(),
        password: settings.get("auth_token").to_owned(),
    };
    let base = settings.url("base_url");
    let url = format!("{base}/2010-04-01/Accounts/{}/Messages.json", url_part(account));
    Ok(Post::Http(Box::new(HttpRequest { auth: Some(auth), ..post(url, body) })))
}

fn read(answer: &HttpAnswer) -> Result<Reply, Fault> {
    let body = &answer.body;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    match (answer.status, text("sid")) {
        (200..=299, Some(sid)) => match text("status") {
            Some(status) if LOST.contains(&status) => Err(lost(answer, status)),
            Some(_) | None => Ok(Reply::Taken(sid.to_owned())),
        },
        (400.., _) if body.is_object() => Err(failed(answer)),
        _ => Err(strange(answer, "the answer is none of Twilio's")),
    }
}

/// 201, and yet it will not arrive.
fn lost(answer: &HttpAnswer, status: &str) -> Fault {
    let why = answer.body.get("error_message").and_then(Value::as_str).unwrap_or_default();
    let code = answer.body.get("error_code").and_then(Value::as_u64);
    let code = code.map(|it| format!(" error {it}")).unwrap_or_default();
    refused(answer, &format!("the message is {status}:{code} {why}"))
}

/// Twilio's own shape (`code`, `message`) or RFC 9457's (`title`, `detail`).
fn failed(answer: &HttpAnswer) -> Fault {
    let body = &answer.body;
    let said = ["message", "detail", "title"].into_iter().find_map(|name| body.get(name)?.as_str());
    let code = body.get("code").and_then(Value::as_u64);
    let why = match (code, said.unwrap_or_default()) {
        (Some(code), said) => format!("error {code}: {said}"),
        (None, said) => said.to_owned(),
    };
    let kind = match code {
        Some(LIMITED) => Why::Limited,
        Some(code) if KEYS.contains(&code) => Why::Keys,
        Some(_) | None => Why::of(answer.status),
    };
    kind.fault(answer, &why)
}
