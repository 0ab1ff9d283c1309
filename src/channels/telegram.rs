//! `telegram`: a message by a Telegram bot. Who is to get it must have pressed Start once.
//!
//! ```yaml
//! author: {via: telegram, chat_id: 1234, token: "{{secret.telegram}}"}
//! ```

use serde_json::{Map, Value, json};

use crate::channels::marks::url_part;
use crate::channels::spec::{
    ANSWER_BYTES_MAX, Field, Message, Post, Settings, Spec, refused, said, strange, words,
};
use crate::model::effect::{Accept, Body, HttpAnswer, HttpAsk};
use crate::model::fault::Fault;
use crate::model::time::Span;

/// How this channel is set up.
pub const SPEC: Spec = Spec {
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
    let settings = Settings::read(&FIELDS, config)?;
    let chat = settings.get("chat_id");
    let chat = chat.parse::<i64>().map_or_else(|_| Value::from(chat), Value::from);
    // No parse_mode: a `_` or `*` in the text must not be an error.
    let body = json!({"chat_id": chat, "text": said(message, TEXT_MAX)?});
    Ok(Post::Http(Box::new(HttpAsk {
        method: "POST".to_owned(),
        url: format!("{}/bot{}/sendMessage", settings.url("base_url"), url_part(settings.get("token"))),
        query: Vec::new(),
        headers: Vec::new(),
        auth: None,
        body: Body::Json(body),
        accept: Accept::Auto,
        bytes_max: ANSWER_BYTES_MAX,
        redirects_max: 0,
        oauth_hosts_only: false,
    })))
}

fn read(answer: &HttpAnswer) -> Result<String, Fault> {
    let body = &answer.body;
    match body.get("ok").and_then(Value::as_bool) {
        Some(true) => Ok(body.pointer("/result/message_id").map(Value::to_string).unwrap_or_default()),
        Some(false) => Err(failed(answer)),
        None => Err(strange(answer, "the answer is none of the Bot API")),
    }
}

/// The status equals `error_code`, but for proxies that answer 200.
fn failed(answer: &HttpAnswer) -> Fault {
    let body = &answer.body;
    let said = body.get("description").and_then(Value::as_str).unwrap_or_default();
    let code = body.get("error_code").and_then(Value::as_u64).and_then(|it| u16::try_from(it).ok());
    let status = code.unwrap_or(answer.status);
    if let Some(chat) = body.pointer("/parameters/migrate_to_chat_id").and_then(Value::as_i64) {
        let message = format!("{}; hint: set chat_id to {chat}", words(said));
        let mut fault = Fault::lasting("channel_moved", message);
        fault.status = Some(status);
        return fault;
    }
    let mut fault = refused(&HttpAnswer { status, ..answer.clone() }, said);
    match status {
        404 if said == "Not Found" => {
            "channel_keys".clone_into(&mut fault.code);
            fault.message.push_str("; hint: look at the token of the bot");
        }
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
