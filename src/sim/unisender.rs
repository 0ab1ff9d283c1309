//! UniSender, simulated: `sendSms` and `sendEmail` of one account. Errors come with the status 200, their
//! text as HTML, and now and then inside a result that looks good.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sim::answer::{Deliver, SimAnswer, escape};
use crate::sim::inbox::InboxMessage;
use crate::sim::request::{Fields, SimRequest};
use crate::sim::script::TroubleScript;

/// The longest text message, in characters.
const SMS_CHARS_MAX: usize = 1_000;
/// The most phones of one request.
const PHONES_MAX: usize = 150;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnisenderTrouble {
    /// 200: the key is not known.
    InvalidApiKey,
    /// The same with 401, as others have seen it.
    #[serde(rename = "invalid_api_key_401")]
    InvalidApiKey401,
    /// 200.
    NotEnoughMoney,
    /// 200: `retry_later`.
    RetryLater,
    /// 200: too many calls with this key.
    ApiLimit,
    /// 200: the last message to this phone was less than a minute ago.
    HasBeenSent,
    /// 200: the sender's name is not registered; the text is full of HTML's names.
    BadSender,
    /// 200: the error is inside `result`.
    InsideResult,
    /// 200: all but the first of several phones are refused.
    FirstPhoneOnly,
    /// 200 with a warning.
    Warning,
    /// 502 with a page.
    #[serde(rename = "html_502")]
    Html502,
    /// 200 with a page.
    Garbage,
    /// The message is taken, late.
    Slow,
    /// The connection is closed; nothing was taken.
    Close,
    /// The connection is closed; the message was taken.
    Lost,
}

/// The simulated account.
#[derive(Clone, Default)]
pub struct Unisender {
    /// Its key.
    pub key: String,
    /// The senders that are registered or confirmed; none named: all.
    pub senders: Vec<String>,
    /// What is to go wrong.
    pub script: TroubleScript<UnisenderTrouble>,
    sent: u64,
}

impl Unisender {
    /// An account with that key.
    pub fn new(key: &str) -> Unisender {
        Unisender { key: key.to_owned(), ..Unisender::default() }
    }

    /// What UniSender answers, and the messages that it took. `method` is the last step of the path.
    pub fn answer(&mut self, method: &str, request: &SimRequest, now: i64) -> (SimAnswer, Vec<InboxMessage>) {
        let Some(plan) = self.script.take() else {
            return self.honest(method, request, now);
        };
        let none = Vec::new();
        match plan.what {
            UnisenderTrouble::InvalidApiKey => (unknown_key(), none),
            UnisenderTrouble::InvalidApiKey401 => (SimAnswer { status: 401, ..unknown_key() }, none),
            UnisenderTrouble::NotEnoughMoney => (failed("not_enough_money", "Not enough money"), none),
            UnisenderTrouble::RetryLater => (failed("retry_later", "Please, retry later"), none),
            UnisenderTrouble::ApiLimit => {
                (failed("api_call_limit_exceeded_for_api_key", "Too many calls"), none)
            }
            UnisenderTrouble::HasBeenSent => (failed("has_been_sent", "Sent less than a minute ago"), none),
            UnisenderTrouble::BadSender => (failed("src_invalid", "\"Belt\" isn't <registered>"), none),
            UnisenderTrouble::InsideResult => {
                let inside = json!({"error": "Phone is wrong", "code": "dest_invalid"});
                (SimAnswer::json(200, &json!({"result": inside})).called("dest_invalid"), none)
            }
            UnisenderTrouble::FirstPhoneOnly => self.first_phone_only(method, request, now),
            UnisenderTrouble::Warning => {
                let (mut answer, messages) = self.honest(method, request, now);
                let mut body = answer.value();
                body["warnings"] = json!([{"warning": "probably not a &quot;mobile&quot; phone"}]);
                answer.body = body.to_string();
                (answer, messages)
            }
            UnisenderTrouble::Html502 => (SimAnswer::page(502, "502 Bad Gateway", "<hr>nginx"), none),
            UnisenderTrouble::Garbage => (SimAnswer::page(200, "Works on the site", "<hr>"), none),
            UnisenderTrouble::Close => (SimAnswer::closed(), none),
            UnisenderTrouble::Slow | UnisenderTrouble::Lost => {
                let (answer, messages) = self.honest(method, request, now);
                let lost = plan.what == UnisenderTrouble::Lost;
                let deliver = if lost { Deliver::Closed } else { Deliver::After(plan.ms) };
                (answer.delivered(deliver), messages)
            }
        }
    }

    fn honest(&mut self, method: &str, request: &SimRequest, now: i64) -> (SimAnswer, Vec<InboxMessage>) {
        let Ok(fields) = request.fields() else {
            return (failed("invalid_arg", "The request cannot be read"), Vec::new());
        };
        if fields.filled("api_key").as_deref() != Some(&self.key) {
            return (unknown_key(), Vec::new());
        }
        // The real one takes a key in the URL. Ours must not send one there.
        if fields.any_in_url(&["api_key"]) {
            return (failed("access_denied", "The key is in the URL"), Vec::new());
        }
        match method {
            "sendSms" => self.sms(&fields, now),
            "sendEmail" => self.mail(&fields, now),
            _ => (failed("unknown_method", "There is no such method"), Vec::new()),
        }
    }

    fn sms(&mut self, fields: &Fields, now: i64) -> (SimAnswer, Vec<InboxMessage>) {
        let text = |name: &str| fields.text(name).unwrap_or_default();
        let (from, said) = (text("sender"), text("text"));
        let phones: Vec<String> = text("phone").split(',').map(|it| it.trim().to_owned()).collect();
        let bad = |code, why: &str| (failed(code, why), Vec::new());
        if !(3..=11).contains(&from.len()) || !self.knows(&from) {
            return bad("src_invalid", "The sender's name \"isn't\" registered");
        }
        if said.is_empty() || said.chars().count() > SMS_CHARS_MAX || phones.len() > PHONES_MAX {
            return bad("invalid_arg", "The text or the list of phones is empty or too long");
        }
        let results: Vec<(Value, Option<InboxMessage>)> =
            phones.iter().map(|phone| self.one_sms(&from, phone, &said, now)).collect();
        let (results, messages): (Vec<Value>, Vec<Option<InboxMessage>>) = results.into_iter().unzip();
        let answer = match results.as_slice() {
            [one] if one.get("error").is_some() => return bad("dest_invalid", "The phone is wrong"),
            [one] => json!({"result": one}),
            several => json!({"result": several}),
        };
        (SimAnswer::json(200, &answer), messages.into_iter().flatten().collect())
    }

    fn one_sms(&mut self, from: &str, phone: &str, text: &str, at: i64) -> (Value, Option<InboxMessage>) {
        let digits = phone.trim_start_matches('+');
        if digits.len() < 7 || !digits.bytes().all(|it| it.is_ascii_digit()) {
            return (json!({"phone": phone, "error": "The phone is wrong", "code": "dest_invalid"}), None);
        }
        self.sent += 1;
        let id = format!("{}.{:03}", 1_000_000 + self.sent, self.sent);
        let result = json!({"sms_id": id, "price": 0.31, "currency": "USD", "phone": phone});
        (result, Some(message("unisender-sms", from, phone, "", text, at)))
    }

    fn mail(&mut self, fields: &Fields, now: i64) -> (SimAnswer, Vec<InboxMessage>) {
        let text = |name: &str| fields.text(name).unwrap_or_default();
        let (to, from) = (text("email"), text("sender_email"));
        let required = [
            ("sender_name", "empty_sender_name"),
            ("subject", "empty_subject"),
            ("body", "body_empty"),
            ("list_id", "invalid_arg"),
        ];
        let missing = required.iter().find(|(name, _)| text(name).trim().is_empty());
        let code = match missing {
            Some((_, code)) => Some(*code),
            None if !from.contains('@') => Some("invalid_sender_email"),
            None if !self.knows(&from) => Some("unchecked_sender_email"),
            None if !to.contains('@') => Some("invalid_email"),
            None => None,
        };
        let checked = text("error_checking") == "1";
        let result = match code {
            Some(code) if checked => {
                let errors = json!([{"code": code, "message": format!("&quot;{code}&quot;")}]);
                let result = json!([{"index": 0, "email": to, "errors": errors}]);
                return (SimAnswer::json(200, &json!({"result": result})).called(code), Vec::new());
            }
            Some(code) => return (failed(code, code), Vec::new()),
            None if checked => {
                self.sent += 1;
                json!([{"index": 0, "email": to, "id": (1_234_567_000 + self.sent).to_string()}])
            }
            None => {
                self.sent += 1;
                json!({"email_id": (1_234_567_000 + self.sent).to_string()})
            }
        };
        let taken = message("unisender-email", &from, &to, &text("subject"), &text("body"), now);
        (SimAnswer::json(200, &json!({"result": result})), vec![taken])
    }

    fn first_phone_only(
        &mut self,
        method: &str,
        request: &SimRequest,
        now: i64,
    ) -> (SimAnswer, Vec<InboxMessage>) {
        let (mut answer, mut messages) = self.honest(method, request, now);
        let mut body = answer.value();
        let others = body["result"].as_array_mut().into_iter().flatten().skip(1);
        others.for_each(|it| *it = json!({"error": "Unsubscribed", "code": "unsubscribed_globally"}));
        answer.body = body.to_string();
        messages.truncate(1);
        (answer, messages)
    }

    fn knows(&self, sender: &str) -> bool {
        self.senders.is_empty() || self.senders.iter().any(|it| it == sender)
    }
}

fn message(channel: &str, from: &str, to: &str, subject: &str, text: &str, at: i64) -> InboxMessage {
    let [channel, from, to, subject, text] = [channel, from, to, subject, text].map(str::to_owned);
    InboxMessage { channel, from, to, subject, text, at }
}

fn unknown_key() -> SimAnswer {
    failed("invalid_api_key", "API key is invalid")
}

fn failed(code: &str, why: &str) -> SimAnswer {
    SimAnswer::json(200, &json!({"error": escape(why), "code": code})).called(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMS: [(&str, &str); 4] =
        [("api_key", "k"), ("sender", "Belt"), ("phone", "79261234567"), ("text", "hi")];

    fn code(account: &mut Unisender, method: &str, fields: &[(&str, &str)]) -> String {
        let (answer, _) = account.answer(method, &SimRequest::form("/en/api/x?format=json", fields), 0);
        assert_eq!(answer.status, 200);
        answer.result
    }

    #[test]
    fn text_messages_are_taken_by_one_or_many() {
        let mut account = Unisender::new("k");
        let (answer, _) = account.answer("sendSms", &SimRequest::form("/", &SMS), 0);
        assert_eq!(answer.value()["result"]["sms_id"], "1000001.001");
        let several = [SMS[0], SMS[1], ("phone", "79261234567,12"), SMS[3]];
        let (answer, messages) = account.answer("sendSms", &SimRequest::form("/", &several), 0);
        assert_eq!((&answer.value()["result"][1]["code"], messages.len()), (&json!("dest_invalid"), 1));
    }

    #[test]
    fn mistakes_get_the_real_codes() {
        let mut account = Unisender::new("k");
        assert_eq!(code(&mut account, "sendSms", &SMS[1..]), "invalid_api_key");
        assert_eq!(code(&mut account, "sendSms", &[SMS[0], SMS[2], SMS[3]]), "src_invalid");
        assert_eq!(code(&mut account, "sendSms", &[SMS[0], SMS[1], ("phone", "x"), SMS[3]]), "dest_invalid");
        assert_eq!(code(&mut account, "send", &SMS), "unknown_method");
        let (answer, _) = account.answer("sendSms", &SimRequest::form("/?api_key=k", &SMS), 0);
        assert_eq!(answer.result, "access_denied");
    }

    #[test]
    fn a_mail_may_be_refused_inside_its_result() {
        let mut account = Unisender::new("k");
        account.senders = vec!["a@b.org".to_owned()];
        let fields = |from| {
            [
                ("api_key", "k"),
                ("email", "c@d.org"),
                ("sender_name", "Belt"),
                ("sender_email", from),
                ("subject", "s"),
                ("body", "b"),
                ("list_id", "1"),
                ("error_checking", "1"),
            ]
        };
        assert_eq!(code(&mut account, "sendEmail", &fields("a@b.org")), "ok");
        let (answer, _) = account.answer("sendEmail", &SimRequest::form("/", &fields("x@b.org")), 0);
        assert_eq!(answer.value()["result"][0]["errors"][0]["code"], "unchecked_sender_email");
        assert!(answer.value().get("error").is_none());
    }
}
