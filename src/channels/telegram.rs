//! `telegram`: a message by a Telegram bot. Who is to get it must have pressed Start once.
//!
//! ```yaml
//! author: {via: telegram, chat_id: 1234, token: "{{secret.telegram}}"}
//! ```
//!
//! A group that became a supergroup has another `chat_id`; the message goes there at once, and the delivery
//! says what to set.

use serde_json::{Map, Value, json};

use crate::channels::marks::url_part;
use crate::channels::refusal::{Why, strange};
use crate::channels::spec::{ChannelSettings, ChannelSpec, Field, Message, Post, Reply, bad, post};
use crate::channels::words::said;
use crate::model::effect::{Body, HttpAnswer};
use crate::model::fault::Fault;
use crate::model::look::has_mark;
use crate::model::time::Span;

/// How this channel is set up.
pub const SPEC: ChannelSpec = ChannelSpec {
    name: "telegram",
    about: "a message by a Telegram bot",
    source: include_str!("telegram.rs"),
    fields: &FIELDS,
    request,
    read,
};

const FIELDS: [Field; 3] = [
    Field::required("chat_id", "the number of the chat, or @channel"),
    Field::required("token", "the token of the bot, as BotFather gave it").secret(),
    Field::optional("base_url", "where the Bot API is").or("https://api.telegram.org"),
];

/// The longest message, in UTF-16 units.
const TEXT_MAX: usize = 4_096;

fn request(config: &Map<String, Value>, message: &Message) -> Result<Post, Fault> {
    let settings = ChannelSettings::read(&FIELDS, config)?;
    let (chat, token) = (settings.get("chat_id"), settings.get("token"));
    if !chat.starts_with('@') && !has_mark(chat) && chat.parse::<i64>().is_err() {
        let hint = "hint: the number of the chat, as 1234 or -1001234, or the @name of a public channel";
        return Err(bad(format!("the setting `chat_id` is no chat: `{chat}`; {hint}")));
    }
    if token.strip_prefix("bot").is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit())) {
        return Err(bad("the setting `token` begins with `bot`; hint: leave that out, as BotFather gave it"));
    }
    let chat = chat.parse::<i64>().map_or_else(|_| Value::from(chat), Value::from);
    // No parse_mode: a `_` or `*` in the text must not be an error.
    let body = json!({"chat_id": chat, "text": said(message, TEXT_MAX)?});
    let url = format!("{}/bot{}/sendMessage", settings.url("base_url"), url_part(token));
    Ok(Post::Http(Box::new(post(url, Body::Json(body)))))
}

fn read(answer: &HttpAnswer) -> Result<Reply, Fault> {
    let body = &answer.body;
    let chat = body.pointer("/parameters/migrate_to_chat_id").and_then(Value::as_i64);
    match (body.get("ok").and_then(Value::as_bool), chat) {
        (Some(true), _) => {
            Ok(Reply::Taken(body.pointer("/result/message_id").map(Value::to_string).unwrap_or_default()))
        }
        (Some(false), Some(chat)) => Ok(Reply::Moved { setting: "chat_id", to: chat.to_string() }),
        (Some(false), None) => Err(failed(answer)),
        (None, _) => Err(strange(answer, "the answer is none of the Bot API")),
    }
}

/// The status equals `error_code`, but for proxies that answer 200.
fn failed(answer: &HttpAnswer) -> Fault {
    let body = &answer.body;
    let said = body.get("description").and_then(Value::as_str).unwrap_or_default();
    let code = body.get("error_code").and_then(Value::as_u64).and_then(|it| u16::try_from(it).ok());
    let status = code.unwrap_or(answer.status);
    // To a token that is none, the Bot API says so.
    let why = if said == "Not Found" { Why::Keys } else { Why::of(status) };
    let mut fault = why.fault(&HttpAnswer { status, ..answer.clone() }, said);
    match status {
        403 => fault.message.push_str("; hint: has the person pressed Start?"),
        429 => fault.retry_after = retry_after(body, said).or(fault.retry_after),
        _ => {}
    }
    fault
}

/// `parameters` may be missing; then the words say it.
fn retry_after(body: &Value, said: &str) -> Option<Span> {
    let given = body.pointer("/parameters/retry_after").and_then(Value::as_u64);
    let told = || said.rsplit_once("retry after ")?.1.trim().parse().ok();
    given.or_else(told)?.checked_mul(1_000).map(Span::millis)
}
