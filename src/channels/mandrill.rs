//! `mandrill`: an e-mail by Mandrill, which is Mailchimp Transactional.
//!
//! ```yaml
//! author:
//!   via: mandrill
//!   key: "{{secret.mandrill}}"
//!   from: Beltline <bot@example.org>
//!   to: author@example.org
//! ```
//!
//! With `template: SLUG`, a template of yours is sent; it finds `subject` and `text` among its merge tags.

use serde_json::{Map, Value, json};

use crate::channels::refusal::{Why, strange};
use crate::channels::spec::{ChannelSettings, ChannelSpec, Field, Message, Post, Reply, post};
use crate::channels::words::{name_and_address, noted, said, several, subject};
use crate::model::effect::{Body, HttpAnswer};
use crate::model::fault::Fault;

/// How this channel is set up.
pub const SPEC: ChannelSpec = ChannelSpec {
    name: "mandrill",
    about: "an e-mail by Mandrill",
    source: include_str!("mandrill.rs"),
    fields: &FIELDS,
    request,
    read,
};

const FIELDS: [Field; 5] = [
    Field::required("key", "the key of the account").secret(),
    Field::required("from", "the sender: bot@example.org or Bot <bot@example.org>"),
    Field::required("to", "who gets it; several with commas between"),
    Field::optional("template", "the slug of a template to send it in"),
    Field::optional("base_url", "where Mandrill's API is").or("https://mandrillapp.com/api/1.0"),
];

/// The longest text, in UTF-16 units.
const TEXT_MAX: usize = 100_000;
/// What becomes of a mail that will not arrive, though the status is 200.
const LOST: [&str; 2] = ["rejected", "invalid"];
/// Names of errors that pass. All others last, whatever the status: a bad key comes with 500.
const PASSING: [&str; 2] = ["GeneralError", "ServiceUnavailable"];

fn request(config: &Map<String, Value>, message: &Message) -> Result<Post, Fault> {
    let settings = ChannelSettings::read(&FIELDS, config)?;
    let (key, template) = (settings.get("key"), settings.get("template"));
    let (name, address) = name_and_address(settings.get("from"));
    let to = several(settings.get("to")).into_iter().map(|it| {
        let (name, address) = name_and_address(it);
        json!({"email": address, "name": name, "type": "to"})
    });
    let (subject, text) = (subject(message), said(message, TEXT_MAX)?);
    let mut mail = json!({
        "from_email": address,
        "from_name": name,
        "to": to.collect::<Vec<Value>>(),
        "subject": subject,
        "text": text,
        "metadata": {"key": message.key},
    });
    let (call, body) = match template {
        "" => ("send", json!({"key": key, "message": mail})),
        slug => {
            let vars = [("subject", subject), ("text", text)];
            mail["global_merge_vars"] =
                vars.into_iter().map(|(name, it)| json!({"name": name, "content": it})).collect();
            let content: [Value; 0] = [];
            let whole =
                json!({"key": key, "template_name": slug, "template_content": content, "message": mail});
            ("send-template", whole)
        }
    };
    let url = format!("{}/messages/{call}.json", settings.url("base_url"));
    Ok(Post::Http(Box::new(post(url, Body::Json(body)))))
}

fn read(answer: &HttpAnswer) -> Result<Reply, Fault> {
    let text = |it: &Value, name: &str| it.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match &answer.body {
        body if text(body, "status") == "error" => Err(failed(answer, &text(body, "name"), body)),
        Value::Array(mails) if answer.status < 400 && !mails.is_empty() => {
            let lost: Vec<String> = mails
                .iter()
                .filter(|it| LOST.contains(&text(it, "status").as_str()))
                .map(|it| format!("{} {}", text(it, "status"), text(it, "reject_reason")).trim().to_owned())
                .collect();
            if lost.len() == mails.len() {
                return Err(Why::Refused.fault(answer, &format!("the mail is {}", lost.join(", "))));
            }
            let queued = mails.iter().map(|it| text(it, "queued_reason")).filter(|it| !it.is_empty());
            let notes: Vec<String> =
                lost.into_iter().chain(queued.map(|it| format!("queued: {it}"))).collect();
            let ids: Vec<String> =
                mails.iter().map(|it| text(it, "_id")).filter(|it| !it.is_empty()).collect();
            Ok(Reply::Taken(noted(&ids.join(", "), &notes.join(", "))))
        }
        _ => Err(strange(answer, "the answer is none of Mandrill's")),
    }
}

fn failed(answer: &HttpAnswer, name: &str, body: &Value) -> Fault {
    let said = body.get("message").and_then(Value::as_str).unwrap_or_default();
    let why = match name {
        "Invalid_Key" => Why::Keys,
        "ValidationError" if said.contains("a key value") => Why::Keys,
        name if PASSING.contains(&name) => Why::Failed,
        _ if answer.status == 429 => Why::Limited,
        _ => Why::Refused,
    };
    let mut fault = why.fault(answer, &format!("{name}: {said}"));
    if name == "PaymentRequired" {
        fault.message.push_str("; hint: the account is not paid");
    }
    fault
}
