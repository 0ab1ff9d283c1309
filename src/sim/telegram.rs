//! Telegram's `sendMessage`, simulated: one bot, any chat or those named, the real failures.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sim::answer::{Deliver, SimAnswer};
use crate::sim::inbox::InboxMessage;
use crate::sim::request::SimRequest;
use crate::sim::script::{Plan, TroubleScript};

/// The longest text, in characters.
const TEXT_CHARS_MAX: usize = 4_096;

/// What a group's chat is called once it has become a supergroup.
pub const SUPERGROUP: i64 = -1_001_234_567_890;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TelegramTrouble {
    /// 401: a bad bot token.
    Unauthorized,
    /// 403: the person blocked the bot.
    Blocked,
    /// 400.
    ChatNotFound,
    /// 429 with `parameters.retry_after`.
    TooManyRequests,
    /// The same, but only the words say how long.
    TooManyRequestsBare,
    /// 400 with `parameters.migrate_to_chat_id`: the group is a supergroup now.
    Migrated,
    /// 403 by its body, under 200.
    BlockedUnderOk,
    /// 500.
    ServerError,
    /// The message is taken, late.
    Slow,
    /// The connection is closed; nothing was taken.
    Close,
    /// The connection is closed; the message was taken.
    Lost,
}

/// The simulated bot.
#[derive(Clone, Default)]
pub struct Telegram {
    /// The bot's token.
    pub token: String,
    /// The chats that exist; none named: all.
    pub chats: Vec<String>,
    /// What is to go wrong.
    pub script: TroubleScript<TelegramTrouble>,
    sent: u64,
}

impl Telegram {
    /// A bot with that token.
    pub fn new(token: &str) -> Telegram {
        Telegram { token: token.to_owned(), ..Telegram::default() }
    }

    /// What Telegram answers, and the message if it took one. `call` is the path behind `/bot`.
    pub fn answer(
        &mut self,
        call: &str,
        request: &SimRequest,
        now: i64,
    ) -> (SimAnswer, Option<InboxMessage>) {
        let plan = self.script.take();
        let Some(plan) = plan else {
            return self.honest(call, request, now);
        };
        match plan.what {
            TelegramTrouble::Unauthorized => (failed(401, "Unauthorized"), None),
            TelegramTrouble::Blocked => (failed(403, "Forbidden: bot was blocked by the user"), None),
            TelegramTrouble::ChatNotFound => (failed(400, "Bad Request: chat not found"), None),
            TelegramTrouble::TooManyRequests => (too_many(&plan), None),
            TelegramTrouble::TooManyRequestsBare => {
                let said = format!("Too Many Requests: retry after {}", plan.retry_after_s);
                (failed(429, &said), None)
            }
            TelegramTrouble::Migrated => (migrated(), None),
            TelegramTrouble::BlockedUnderOk => {
                let answer = failed(403, "Forbidden: bot was blocked by the user");
                (SimAnswer { status: 200, ..answer }, None)
            }
            TelegramTrouble::ServerError => (failed(500, "Internal Server Error"), None),
            TelegramTrouble::Close => (SimAnswer::closed(), None),
            TelegramTrouble::Slow | TelegramTrouble::Lost => {
                let (answer, message) = self.honest(call, request, now);
                let lost = plan.what == TelegramTrouble::Lost;
                let deliver = if lost { Deliver::Closed } else { Deliver::After(plan.ms) };
                (answer.delivered(deliver), message)
            }
        }
    }

    fn honest(&mut self, call: &str, request: &SimRequest, now: i64) -> (SimAnswer, Option<InboxMessage>) {
        let Some((token, method)) = call.split_once('/') else {
            return (not_found(), None);
        };
        if !token.contains(':') {
            return (not_found(), None);
        }
        if token != self.token {
            return (failed(401, "Unauthorized"), None);
        }
        if !method.eq_ignore_ascii_case("sendMessage") {
            return (not_found(), None);
        }
        let Ok(fields) = request.fields() else {
            return (failed(400, "Bad Request: can't parse JSON object"), None);
        };
        let Some(chat) = fields.filled("chat_id") else {
            return (failed(400, "Bad Request: chat_id is empty"), None);
        };
        let text = fields.text("text").unwrap_or_default();
        if let Some(why) = self.refusal(&chat, &text) {
            return (failed(400, why), None);
        }
        self.sent += 1;
        let shown = chat.parse::<i64>().map_or_else(|_| chat.clone().into(), Value::from);
        let body = json!({"ok": true, "result": {
            "message_id": self.sent,
            "date": now.div_euclid(1_000),
            "chat": {"id": shown, "type": "private"},
            "text": text,
        }});
        let (channel, empty) = ("telegram".to_owned(), String::new);
        let message = InboxMessage { channel, from: empty(), to: chat, subject: empty(), text, at: now };
        (SimAnswer::json(200, &body), Some(message))
    }

    fn refusal(&self, chat: &str, text: &str) -> Option<&'static str> {
        if !self.chats.is_empty() && !self.chats.iter().any(|it| it == chat) {
            return Some("Bad Request: chat not found");
        }
        if text.trim().is_empty() {
            return Some("Bad Request: message text is empty");
        }
        (text.chars().count() > TEXT_CHARS_MAX).then_some("Bad Request: message is too long")
    }
}

fn not_found() -> SimAnswer {
    failed(404, "Not Found")
}

fn failed(status: u16, description: &str) -> SimAnswer {
    let body = json!({"ok": false, "error_code": status, "description": description});
    SimAnswer::json(status, &body).called(&status.to_string())
}

fn migrated() -> SimAnswer {
    let body = json!({
        "ok": false,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": SUPERGROUP},
    });
    SimAnswer::json(400, &body).called("migrated")
}

fn too_many(plan: &Plan<TelegramTrouble>) -> SimAnswer {
    let seconds = plan.retry_after_s;
    let body = json!({
        "ok": false,
        "error_code": 429,
        "description": format!("Too Many Requests: retry after {seconds}"),
        "parameters": {"retry_after": seconds},
    });
    SimAnswer::json(429, &body).called("429").with_header("retry-after", &seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(telegram: &mut Telegram, call: &str, body: &Value) -> (SimAnswer, Option<InboxMessage>) {
        telegram.answer(call, &SimRequest::json("/", body), 5_000)
    }

    #[test]
    fn a_message_is_taken() {
        let mut telegram = Telegram::new("1:t");
        let body = json!({"chat_id": 42, "text": "hello"});
        let (answer, message) = send(&mut telegram, "1:t/sendMessage", &body);
        assert_eq!((answer.status, &answer.value()["result"]["chat"]["id"]), (200, &json!(42)));
        let message = message.unwrap();
        assert_eq!((message.to.as_str(), message.text.as_str()), ("42", "hello"));
    }

    #[test]
    fn mistakes_get_the_real_errors() {
        let mut telegram = Telegram::new("1:t");
        telegram.chats = vec!["42".to_owned()];
        let mut status = |call: &str, body: Value| send(&mut telegram, call, &body).0.status;
        let good = json!({"chat_id": 42, "text": "hello"});
        assert_eq!(status("1:wrong/sendMessage", good.clone()), 401);
        assert_eq!(status("nonsense/sendMessage", good.clone()), 404);
        assert_eq!(status("nonsense", good.clone()), 404);
        assert_eq!(status("1:t/getMe", good), 404);
        assert_eq!(status("1:t/sendMessage", json!({"chat_id": 7, "text": "hello"})), 400);
        assert_eq!(status("1:t/sendMessage", json!({"chat_id": 42, "text": ""})), 400);
        let long = "x".repeat(4_097);
        assert_eq!(status("1:t/sendMessage", json!({"chat_id": 42, "text": long})), 400);
    }

    #[test]
    fn a_limit_says_when_to_come_back() {
        let mut telegram = Telegram::new("1:t");
        telegram.script.push(Plan::times(TelegramTrouble::TooManyRequests, 1).retry_after_s(9));
        let (answer, message) = send(&mut telegram, "1:t/sendMessage", &json!({}));
        assert_eq!((answer.status, message), (429, None));
        assert_eq!(answer.value()["parameters"]["retry_after"], 9);
    }
}
