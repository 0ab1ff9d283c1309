//! MessageBird, simulated: classic (`POST /messages`) and the new `POST /v1/sms`, each with its own key and
//! its own shape of errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sim::answer::{Deliver, SimAnswer};
use crate::sim::inbox::InboxMessage;
use crate::sim::request::SimRequest;
use crate::sim::script::TroubleScript;

/// Classic's path.
pub const CLASSIC: &str = "/messages";
/// The new one.
pub const V1: &str = "/v1/sms";
/// The longest name of a sender that is no number.
const NAME_CHARS_MAX: usize = 11;
/// As many keys of requests are remembered.
const KEPT_MAX: usize = 1_000;

/// What goes wrong; v1 has its own word for each, and classic's where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessagebirdTrouble {
    /// 401: the key is not known.
    InvalidKey,
    /// 422: not enough balance.
    NoBalance,
    /// 422 with two errors; v1 has one.
    SeveralErrors,
    /// The key is not known, and the status is 200.
    UnderOk,
    /// 422 with the code of an internal error; 500 at v1.
    InternalError,
    /// 500 with a page.
    ServerError,
    /// 429 with `Retry-After` in seconds.
    TooManyRequests,
    /// 429 with `Retry-After` as a date.
    TooManyRequestsDate,
    /// 201, but the message will not be delivered.
    Undelivered,
    /// The message is taken, late.
    Slow,
    /// The connection is closed; nothing was taken.
    Close,
    /// The connection is closed; the message was taken.
    Lost,
}

/// The simulated account.
#[derive(Clone, Default)]
pub struct Messagebird {
    /// Classic's key.
    pub key: String,
    /// The new key.
    pub v1_key: String,
    /// What is to go wrong.
    pub script: TroubleScript<MessagebirdTrouble>,
    sent: u64,
    /// What v1 answered to which body, by `Idempotency-Key`.
    kept: BTreeMap<String, (Vec<u8>, SimAnswer)>,
}

impl Messagebird {
    /// An account with these keys.
    pub fn new(key: &str, v1_key: &str) -> Messagebird {
        let (key, v1_key) = (key.to_owned(), v1_key.to_owned());
        Messagebird { key, v1_key, ..Messagebird::default() }
    }

    /// What MessageBird answers, and the messages that it took.
    pub fn answer(&mut self, request: &SimRequest, now: i64) -> (SimAnswer, Vec<InboxMessage>) {
        let Some(plan) = self.script.take() else {
            return self.honest(request, now, "sent");
        };
        let v1 = request.path == V1;
        let none = Vec::new();
        match plan.what {
            MessagebirdTrouble::InvalidKey => (unauthorized(v1, 401), none),
            MessagebirdTrouble::UnderOk => (unauthorized(v1, 200), none),
            MessagebirdTrouble::NoBalance if v1 => (typed(402, "insufficient_balance", "No balance"), none),
            MessagebirdTrouble::NoBalance => (coded(422, &[(25, "Not enough balance", "")]), none),
            MessagebirdTrouble::SeveralErrors if v1 => (typed(422, "invalid_request", "`to` is bad"), none),
            MessagebirdTrouble::SeveralErrors => {
                let both =
                    [(9, "no (correct) recipients found", "recipients"), (10, "too long", "originator")];
                (coded(422, &both), none)
            }
            MessagebirdTrouble::InternalError if v1 => (typed(500, "internal_error", "Internal error"), none),
            MessagebirdTrouble::InternalError => (coded(422, &[(99, "Internal error", "")]), none),
            MessagebirdTrouble::ServerError => {
                (SimAnswer::page(500, "500 Internal Server Error", "<hr>"), none)
            }
            MessagebirdTrouble::TooManyRequests | MessagebirdTrouble::TooManyRequestsDate => {
                let answer = match v1 {
                    true => typed(429, "rate_limited", "Too many requests"),
                    false => coded(429, &[(429, "Too many requests", "")]),
                };
                let dated = plan.what == MessagebirdTrouble::TooManyRequestsDate;
                (answer.to_come_back(plan.retry_after_s, dated.then_some(now)), none)
            }
            MessagebirdTrouble::Undelivered => {
                let (answer, _) = self.honest(request, now, "delivery_failed");
                (answer.called("delivery_failed"), none)
            }
            MessagebirdTrouble::Close => (SimAnswer::closed(), none),
            MessagebirdTrouble::Slow | MessagebirdTrouble::Lost => {
                let (answer, messages) = self.honest(request, now, "sent");
                let lost = plan.what == MessagebirdTrouble::Lost;
                let deliver = if lost { Deliver::Closed } else { Deliver::After(plan.ms) };
                (answer.delivered(deliver), messages)
            }
        }
    }

    fn honest(&mut self, request: &SimRequest, now: i64, status: &str) -> (SimAnswer, Vec<InboxMessage>) {
        match request.path == V1 {
            true => self.v1(request, now, status),
            false => self.classic(request, now, status),
        }
    }

    fn classic(&mut self, request: &SimRequest, now: i64, status: &str) -> (SimAnswer, Vec<InboxMessage>) {
        let none = Vec::new();
        if request.method != "POST" {
            return (coded(405, &[(98, "API not found", "")]), none);
        }
        if request.authorization != format!("AccessKey {}", self.key) {
            return (unauthorized(false, 401), none);
        }
        let Ok(fields) = request.fields() else {
            return (coded(422, &[(21, "Bad request", "")]), none);
        };
        let to = match fields.all.get("recipients") {
            Some(Value::String(list)) => list.split(',').map(|it| it.trim().to_owned()).collect(),
            Some(Value::Array(list)) => {
                list.iter().map(|it| it.as_str().unwrap_or_default().to_owned()).collect()
            }
            _ => Vec::new(),
        };
        let (from, text) =
            (fields.text("originator").unwrap_or_default(), fields.text("body").unwrap_or_default());
        let mut errors = Vec::new();
        if to.is_empty() || !to.iter().all(|it| is_phone(it)) {
            errors.push((9, "no (correct) recipients found", "recipients"));
        }
        if !is_sender(&from) {
            errors.push((9, "originator is missing or wrong", "originator"));
        }
        if text.is_empty() {
            errors.push((9, "body is required", "body"));
        }
        if !errors.is_empty() {
            return (coded(422, &errors), none);
        }
        self.sent += 1;
        let items: Vec<Value> = to
            .iter()
            .map(|it| json!({"recipient": it.trim_start_matches('+').parse::<u64>().ok(), "status": status}))
            .collect();
        let id = format!("{:032x}", self.sent);
        let answer = json!({
            "id": id,
            "href": format!("https://rest.messagebird.com/messages/{id}"),
            "direction": "mt",
            "type": "sms",
            "originator": from,
            "body": text,
            "recipients": {"totalCount": to.len(), "items": items},
        });
        let messages = to.into_iter().map(|to| message(&from, to, &text, now)).collect();
        (SimAnswer::json(201, &answer), messages)
    }

    fn v1(&mut self, request: &SimRequest, now: i64, status: &str) -> (SimAnswer, Vec<InboxMessage>) {
        let none = Vec::new();
        if request.user_agent.is_empty() {
            return (typed(403, "forbidden", "A User-Agent header is required"), none);
        }
        if request.bearer() != Some(&self.v1_key) {
            return (unauthorized(true, 401), none);
        }
        let key = &request.idempotency_key;
        if key.is_empty() {
            return (typed(400, "invalid_request", "An Idempotency-Key header is required"), none);
        }
        match self.kept.get(key) {
            Some((body, answer)) if *body == request.body => {
                return (answer.clone().called("repeated"), none);
            }
            Some(_) => return (typed(409, "idempotency_conflict", "Another body under this key"), none),
            None => {}
        }
        let Ok(fields) = request.fields() else {
            return (typed(400, "invalid_request", "The body is no JSON"), none);
        };
        let text = |name: &str| fields.text(name).unwrap_or_default();
        let (from, to, text) = (text("from"), text("to"), text("text"));
        if !is_phone(&to) || !is_sender(&from) || text.is_empty() {
            return (typed(422, "invalid_request", "`to`, `from` or `text` is wrong"), none);
        }
        self.sent += 1;
        let status = if status == "sent" { "queued" } else { "failed" };
        let answer =
            SimAnswer::json(200, &json!({"id": format!("sms_{:012x}", self.sent), "status": status}));
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_first();
        }
        self.kept.insert(key.clone(), (request.body.clone(), answer.clone()));
        (answer, vec![message(&from, to, &text, now)])
    }
}

fn message(from: &str, to: String, text: &str, at: i64) -> InboxMessage {
    let (channel, subject) = ("messagebird".to_owned(), String::new());
    InboxMessage { channel, from: from.to_owned(), to, subject, text: text.to_owned(), at }
}

fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (7..=15).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit())
}

fn is_sender(text: &str) -> bool {
    let name =
        !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(|it| it.is_ascii_alphanumeric());
    name || is_phone(text)
}

fn unauthorized(v1: bool, status: u16) -> SimAnswer {
    match v1 {
        true => typed(status, "unauthorized", "The API key is not known"),
        false => coded(status, &[(2, "Request not allowed (incorrect access_key)", "access_key")]),
    }
}

/// Classic's errors.
fn coded(status: u16, errors: &[(u16, &str, &str)]) -> SimAnswer {
    let errors: Vec<Value> = errors
        .iter()
        .map(|(code, description, parameter)| {
            let parameter = if parameter.is_empty() { Value::Null } else { (*parameter).into() };
            json!({"code": code, "description": description, "parameter": parameter})
        })
        .collect();
    let called = errors[0]["code"].to_string();
    SimAnswer::json(status, &json!({"errors": errors})).called(&called)
}

/// V1's error.
fn typed(status: u16, kind: &str, message: &str) -> SimAnswer {
    let doc = format!("https://bird.com/docs/errors#{kind}");
    let body = json!({"type": kind, "message": message, "doc_url": doc, "request_id": "req_simulated"});
    SimAnswer::json(status, &body).called(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::script::Plan;

    fn account() -> Messagebird {
        Messagebird::new("live_k", "bird_live_k")
    }

    fn classic(body: &Value) -> SimRequest {
        SimRequest::json(CLASSIC, body).authorized("AccessKey live_k")
    }

    fn v1(key: &str, text: &str) -> SimRequest {
        let body = json!({"from": "Belt", "to": "+31612345678", "text": text});
        let mut request = SimRequest::json(V1, &body).authorized("Bearer bird_live_k");
        (request.user_agent, request.idempotency_key) = ("beltline".to_owned(), key.to_owned());
        request
    }

    #[test]
    fn classic_takes_several_numbers_and_tells_all_mistakes() {
        let mut account = account();
        let good = json!({"originator": "Belt", "recipients": ["31612345678", "+37120000000"], "body": "hi"});
        let (answer, messages) = account.answer(&classic(&good), 0);
        assert_eq!((answer.status, messages.len()), (201, 2));
        let (answer, _) = account.answer(&classic(&json!({"originator": "a name too long"})), 0);
        assert_eq!((answer.status, answer.value()["errors"].as_array().unwrap().len()), (422, 3));
        let (answer, _) = account.answer(&SimRequest::json(CLASSIC, &good), 0);
        assert_eq!((answer.status, &answer.value()["errors"][0]["code"]), (401, &json!(2)));
    }

    #[test]
    fn v1_is_strict_and_sends_once_per_key() {
        let mut account = account();
        let (first, messages) = account.answer(&v1("a", "hi"), 0);
        assert_eq!((first.status, messages.len()), (200, 1));
        let (again, messages) = account.answer(&v1("a", "hi"), 1);
        assert_eq!((again.value(), messages.len()), (first.value(), 0));
        assert_eq!(account.answer(&v1("a", "other"), 2).0.status, 409);
        assert_eq!(account.answer(&v1("", "hi"), 3).0.status, 400);
        assert_eq!(
            account.answer(&SimRequest { user_agent: String::new(), ..v1("b", "hi") }, 4).0.status,
            403
        );
        assert_eq!(account.answer(&v1("c", "hi").authorized("Bearer live_k"), 5).0.status, 401);
    }

    #[test]
    fn a_wait_may_be_a_date() {
        let mut account = account();
        account.script.push(Plan::times(MessagebirdTrouble::TooManyRequestsDate, 1).retry_after_s(60));
        let (answer, _) = account.answer(&v1("a", "hi"), 1_692_853_305_000);
        assert_eq!(answer.header("retry-after"), Some("Thu, 24 Aug 2023 05:02:45 GMT"));
        assert_eq!(answer.header("date"), Some("Thu, 24 Aug 2023 05:01:45 GMT"));
    }
}
