//! `unisender-sms`: a text message to a phone, by UniSender.
//!
//! ```yaml
//! author:
//!   via: unisender-sms
//!   api_key: "{{secret.unisender}}"
//!   from: Beltline
//!   to: "79261234567"
//! ```

use serde_json::{Map, Value};

use crate::channels::spec::{ChannelSettings, ChannelSpec, Field, Message, Post, Reply, form, post};
use crate::channels::unisender;
use crate::channels::words::said;
use crate::model::effect::HttpAnswer;
use crate::model::fault::Fault;

/// How this channel is set up.
pub const SPEC: ChannelSpec = ChannelSpec {
    name: "unisender-sms",
    about: "a text message to a phone, by UniSender",
    source: include_str!("unisender_sms.rs"),
    fields: &FIELDS,
    request,
    read,
};

const FIELDS: [Field; 5] = [
    Field::required("api_key", "the key of the account").secret(),
    Field::required("from", "the sender's name, registered there: 3 to 11 letters and digits"),
    Field::required("to", "the phone; several with commas between"),
    Field::optional("lang", "the language of the errors: en, ru, …").or("en"),
    Field::optional("base_url", "where UniSender is").or(unisender::BASE_URL),
];

/// The longest message, in UTF-16 units.
const TEXT_MAX: usize = 1_000;

fn request(config: &Map<String, Value>, message: &Message) -> Result<Post, Fault> {
    let settings = ChannelSettings::read(&FIELDS, config)?;
    let text = said(message, TEXT_MAX)?;
    let (key, from, to) = (settings.get("api_key"), settings.get("from"), settings.get("to"));
    let body = form([("api_key", key), ("sender", from), ("phone", to), ("text", &text)]);
    Ok(Post::Http(Box::new(post(unisender::url(&settings, "sendSms"), body))))
}

fn read(answer: &HttpAnswer) -> Result<Reply, Fault> {
    unisender::read(answer, &["sms_id"])
}
