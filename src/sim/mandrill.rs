//! Mandrill, simulated: `messages/send` and `send-template`. Errors come with 500, whatever they are, and a
//! mail may be rejected under 200.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sim::answer::{Deliver, SimAnswer};
use crate::sim::inbox::InboxMessage;
use crate::sim::request::SimRequest;
use crate::sim::script::TroubleScript;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MandrillTrouble {
    /// 500: `Invalid_Key`.
    InvalidKey,
    /// The same with 401, as others have seen it.
    #[serde(rename = "invalid_key_401")]
    InvalidKey401,
    /// 500: `ValidationError`.
    Validation,
    /// 500: `PaymentRequired`.
    PaymentRequired,
    /// 500: `GeneralError`; it passes.
    GeneralError,
    /// 500: `ServiceUnavailable`; it passes.
    ServiceUnavailable,
    /// 429 with `Retry-After`.
    TooManyRequests,
    /// 200: `rejected`, for a hard bounce.
    Rejected,
    /// 200: `invalid`.
    Invalid,
    /// 200: `queued`, for the account is paused.
    Queued,
    /// 502 with a page.
    #[serde(rename = "html_502")]
    Html502,
    /// The message is taken, late.
    Slow,
    /// The connection is closed; nothing was taken.
    Close,
    /// The connection is closed; the message was taken.
    Lost,
}

/// The simulated account.
#[derive(Clone, Default)]
pub struct Mandrill {
    /// Its key.
    pub key: String,
    /// The slugs of its templates.
    pub templates: Vec<String>,
    /// What is to go wrong.
    pub script: TroubleScript<MandrillTrouble>,
    sent: u64,
}

impl Mandrill {
    /// An account with that key.
    pub fn new(key: &str) -> Mandrill {
        Mandrill { key: key.to_owned(), ..Mandrill::default() }
    }

    /// What Mandrill answers, and the messages that it took. `call` is `send` or `send-template`.
    pub fn answer(&mut self, call: &str, request: &SimRequest, now: i64) -> (SimAnswer, Vec<InboxMessage>) {
        let Some(plan) = self.script.take() else {
            return self.honest(call, request, now, ("sent", "", ""));
        };
        let none = Vec::new();
        match plan.what {
            MandrillTrouble::InvalidKey => (unknown_key(), none),
            MandrillTrouble::InvalidKey401 => (SimAnswer { status: 401, ..unknown_key() }, none),
            MandrillTrouble::Validation => {
                (failed(-2, "ValidationError", "Validation error: {\"message\"}"), none)
            }
            MandrillTrouble::PaymentRequired => (failed(-99, "PaymentRequired", "Payment is required"), none),
            MandrillTrouble::GeneralError => (failed(-99, "GeneralError", "An unknown error"), none),
            MandrillTrouble::ServiceUnavailable => (failed(-99, "ServiceUnavailable", "Unavailable"), none),
            MandrillTrouble::TooManyRequests => {
                let answer = SimAnswer { status: 429, ..failed(-99, "TooManyRequests", "Too many requests") };
                (answer.to_come_back(plan.retry_after_s, None), none)
            }
            MandrillTrouble::Rejected => {
                let (answer, _) = self.honest(call, request, now, ("rejected", "hard-bounce", ""));
                (answer.called("rejected"), none)
            }
            MandrillTrouble::Invalid => {
                let (answer, _) = self.honest(call, request, now, ("invalid", "", ""));
                (answer.called("invalid"), none)
            }
            MandrillTrouble::Queued => self.honest(call, request, now, ("queued", "", "sending-paused")),
            MandrillTrouble::Html502 => (SimAnswer::page(502, "502 Bad Gateway", "<hr>nginx"), none),
            MandrillTrouble::Close => (SimAnswer::closed(), none),
            MandrillTrouble::Slow | MandrillTrouble::Lost => {
                let (answer, messages) = self.honest(call, request, now, ("sent", "", ""));
                let lost = plan.what == MandrillTrouble::Lost;
                let deliver = if lost { Deliver::Closed } else { Deliver::After(plan.ms) };
                (answer.delivered(deliver), messages)
            }
        }
    }

    /// `state` is what becomes of each mail: its status, why it is rejected, why it is queued.
    fn honest(
        &mut self,
        call: &str,
        request: &SimRequest,
        now: i64,
        state: (&str, &str, &str),
    ) -> (SimAnswer, Vec<InboxMessage>) {
        let mails = match self.checked(call, request) {
            Ok(mails) => mails,
            Err(refusal) => return (refusal, Vec::new()),
        };
        let (status, reject, queued) = state;
        let why = |it: &str| if it.is_empty() { Value::Null } else { Value::from(it) };
        let results: Vec<Value> = mails
            .iter()
            .map(|mail| {
                self.sent += 1;
                let id = format!("{:032x}", self.sent);
                json!({"email": mail.to, "status": status, "_id": id,
                       "reject_reason": why(reject), "queued_reason": why(queued)})
            })
            .collect();
        let taken = mails.into_iter().map(|it| InboxMessage { at: now, ..it }).collect();
        (SimAnswer::json(200, &Value::from(results)), taken)
    }

    fn checked(&self, call: &str, request: &SimRequest) -> Result<Vec<InboxMessage>, SimAnswer> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let text = |at: &str| body.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let validation = |why: &str| failed(-2, "ValidationError", why);
        match text("/key") {
            key if key.is_empty() => return Err(validation("You must specify a key value")),
            key if key != self.key => return Err(unknown_key()),
            _ => {}
        }
        if call == "send-template" {
            if !body["template_content"].is_array() {
                return Err(validation("You must specify a template_content value"));
            }
            let slug = text("/template_name");
            if !self.templates.contains(&slug) {
                return Err(failed(5, "Unknown_Template", &format!("No such template \"{slug}\"")));
            }
        }
        if !text("/message/from_email").contains('@') {
            return Err(validation("Validation error: {\"message\":{\"from_email\":\"An email address\"}}"));
        }
        let to = body.pointer("/message/to").and_then(Value::as_array).cloned().unwrap_or_default();
        if to.is_empty() {
            return Err(validation("Validation error: {\"message\":{\"to\":\"Please enter an array\"}}"));
        }
        let mail = |to: &Value| InboxMessage {
            channel: "mandrill".to_owned(),
            from: text("/message/from_email"),
            to: to["email"].as_str().unwrap_or_default().to_owned(),
            subject: text("/message/subject"),
            text: text("/message/text"),
            at: 0,
        };
        Ok(to.iter().map(mail).collect())
    }
}

fn unknown_key() -> SimAnswer {
    failed(-1, "Invalid_Key", "Invalid API key")
}

fn failed(code: i32, name: &str, message: &str) -> SimAnswer {
    let body = json!({"status": "error", "code": code, "name": name, "message": message});
    SimAnswer::json(500, &body).called(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::script::Plan;

    fn ask(mandrill: &mut Mandrill, call: &str, body: &Value) -> (SimAnswer, Vec<InboxMessage>) {
        mandrill.answer(call, &SimRequest::json("/", body), 7)
    }

    fn good() -> Value {
        json!({"key": "k", "message": {"from_email": "a@b.org", "to": [{"email": "c@d.org"}], "text": "hi"}})
    }

    #[test]
    fn mails_are_taken_and_mistakes_get_a_500() {
        let mut mandrill = Mandrill::new("k");
        let (answer, mails) = ask(&mut mandrill, "send", &good());
        assert_eq!((&answer.value()[0]["status"], mails[0].to.as_str()), (&json!("sent"), "c@d.org"));
        for (body, name) in [
            (json!({"key": "x"}), "Invalid_Key"),
            (json!({}), "ValidationError"),
            (json!({"key": "k", "message": {}}), "ValidationError"),
        ] {
            let (answer, mails) = ask(&mut mandrill, "send", &body);
            assert_eq!((answer.status, answer.result.as_str(), mails.len()), (500, name, 0));
        }
    }

    #[test]
    fn a_template_must_exist() {
        let mut mandrill = Mandrill::new("k");
        let mut body = good();
        (body["template_name"], body["template_content"]) = (json!("alarm"), json!([]));
        assert_eq!(ask(&mut mandrill, "send-template", &body).0.result, "Unknown_Template");
        mandrill.templates = vec!["alarm".to_owned()];
        assert_eq!(ask(&mut mandrill, "send-template", &body).0.status, 200);
    }

    #[test]
    fn a_mail_may_be_rejected_under_200() {
        let mut mandrill = Mandrill::new("k");
        mandrill.script.push(Plan::times(MandrillTrouble::Rejected, 1));
        let (answer, mails) = ask(&mut mandrill, "send", &good());
        assert_eq!((answer.status, mails.len()), (200, 0));
        assert_eq!(answer.value()[0]["reject_reason"], "hard-bounce");
    }
}
