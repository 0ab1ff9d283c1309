//! `unisender-email`: an e-mail by UniSender.
//!
//! ```yaml
//! author:
//!   via: unisender-email
//!   api_key: "{{secret.unisender}}"
//!   list_id: 1
//!   from: Beltline <bot@example.org>
//!   to: author@example.org
//! ```
//!
//! UniSender takes one mail a minute to one address; what comes sooner is tried again a minute later.

use serde_json::{Map, Value};

use crate::channels::spec::{ChannelSettings, ChannelSpec, Field, Message, Post, Reply, form, post};
use crate::channels::unisender;
use crate::channels::words::{html, name_and_address, one_line, said, subject};
use crate::model::effect::HttpAnswer;
use crate::model::fault::Fault;

/// How this channel is set up.
pub const SPEC: ChannelSpec = ChannelSpec {
    name: "unisender-email",
    about: "an e-mail by UniSender",
    source: include_str!("unisender_email.rs"),
    fields: &FIELDS,
    request,
    read,
};

const FIELDS: [Field; 6] = [
    Field::required("api_key", "the key of the account").secret(),
    Field::required("list_id", "the list that the link in the mail unsubscribes from"),
    Field::required("from", "the sender, confirmed there: bot@example.org or Bot <bot@example.org>"),
    Field::required("to", "who gets it"),
    Field::optional("lang", "the language of the errors: en, ru, …").or("en"),
    Field::optional("base_url", "where UniSender is").or(unisender::BASE_URL),
];

/// The longest text, in UTF-16 units: a mail may have 1 MB, and HTML makes more of a text.
const TEXT_MAX: usize = 100_000;
/// Who it is from if only an address is given: a name must be there.
const NAME: &str = "Beltline";

fn request(config: &Map<String, Value>, message: &Message) -> Result<Post, Fault> {
    let settings = ChannelSettings::read(&FIELDS, config)?;
    let (name, address) = name_and_address(settings.get("from"));
    let name = if name.is_empty() { NAME } else { &name };
    // UniSender would put values of its own where two braces stand.
    let body = html(&said(message, TEXT_MAX)?).replace("{{", "{&#123;");
    let subject = subject(message).replace("{{", "{ {");
    let pairs = form([
        ("api_key", settings.get("api_key")),
        ("email", &one_line(settings.get("to"))),
        ("sender_name", name),
        ("sender_email", &address),
        ("subject", &subject),
        ("body", &body),
        ("list_id", settings.get("list_id")),
        ("error_checking", "1"),
    ]);
    Ok(Post::Http(Box::new(post(unisender::url(&settings, "sendEmail"), pairs))))
}

fn read(answer: &HttpAnswer) -> Result<Reply, Fault> {
    unisender::read(answer, &["id", "email_id"])
}
