//! Twilio's Messages, simulated: one account, the real failures, and the 201 that is none of success.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::sim::answer::{Deliver, SimAnswer};
use crate::sim::inbox::InboxMessage;
use crate::sim::request::{Fields, SimRequest};
use crate::sim::script::{Plan, TroubleScript};

/// The longest body, in characters.
const BODY_CHARS_MAX: usize = 1_600;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TwilioTrouble {
    /// 401, 20003.
    Unauthorized,
    /// 400, 21211.
    BadNumber,
    /// 400 in the shape of RFC 9457.
    BadNumberNewer,
    /// 429, 20429.
    TooManyRequests,
    /// 500.
    ServerError,
    /// 503.
    Unavailable,
    /// 201, but its status is `failed`.
    Failed,
    /// The message is taken, late.
    Slow,
    /// The connection is closed; nothing was taken.
    Close,
    /// The connection is closed; the message was taken.
    Lost,
}

/// The simulated account.
#[derive(Clone, Default)]
pub struct Twilio {
    /// The account's SID: `AC` and 32 hexadecimal digits.
    pub account: String,
    /// Its token.
    pub token: String,
    /// What is to go wrong.
    pub script: TroubleScript<TwilioTrouble>,
    sent: u64,
}

impl Twilio {
    /// An account with that token.
    pub fn new(account: &str, token: &str) -> Twilio {
        Twilio { account: account.to_owned(), token: token.to_owned(), ..Twilio::default() }
    }

    /// What Twilio answers, and the message if it took one. `account` is the one in the path.
    pub fn answer(
        &mut self,
        account: &str,
        request: &SimRequest,
        now: i64,
    ) -> (SimAnswer, Option<InboxMessage>) {
        let Some(plan) = self.script.take() else {
            return self.honest(account, request, now, "queued");
        };
        match plan.what {
            TwilioTrouble::Unauthorized => (unauthorized(), None),
            TwilioTrouble::BadNumber => (bad_number("+"), None),
            TwilioTrouble::BadNumberNewer => (newer(), None),
            TwilioTrouble::TooManyRequests => (too_many(&plan), None),
            TwilioTrouble::ServerError => (failed(500, 20500, "Internal Server Error"), None),
            TwilioTrouble::Unavailable => (failed(503, 20503, "Service unavailable"), None),
            TwilioTrouble::Failed => {
                let (answer, _) = self.honest(account, request, now, "failed");
                (answer.called("failed"), None)
            }
            TwilioTrouble::Close => (SimAnswer::closed(), None),
            TwilioTrouble::Slow | TwilioTrouble::Lost => {
                let (answer, message) = self.honest(account, request, now, "queued");
                let lost = plan.what == TwilioTrouble::Lost;
                let deliver = if lost { Deliver::Closed } else { Deliver::After(plan.ms) };
                (answer.delivered(deliver), message)
            }
        }
    }

    fn honest(
        &mut self,
        account: &str,
        request: &SimRequest,
        now: i64,
        status: &str,
    ) -> (SimAnswer, Option<InboxMessage>) {
        if !self.knows(request) {
            return (unauthorized(), None);
        }
        if account != self.account {
            let what = format!("The requested resource /Accounts/{account}/Messages.json was not found");
            return (failed(404, 20404, &what), None);
        }
        if request.method != "POST" {
            return (failed(405, 20004, "Method not allowed"), None);
        }
        let Ok(fields) = request.fields() else {
            return (failed(400, 21620, "Invalid body"), None);
        };
        let (to, from, text) = match checked(&fields) {
            Ok(good) => good,
            Err(refusal) => return (refusal, None),
        };
        self.sent += 1;
        let answer = created(&self.account, self.sent, &to, &from, &text, status, now);
        let (channel, subject) = ("twilio".to_owned(), String::new());
        (answer, Some(InboxMessage { channel, from, to, subject, text, at: now }))
    }

    fn knows(&self, request: &SimRequest) -> bool {
        let expected = STANDARD.encode(format!("{}:{}", self.account, self.token));
        match request.authorization.split_once(' ') {
            Some((scheme, given)) if scheme.eq_ignore_ascii_case("basic") => {
                given.trim().as_bytes().ct_eq(expected.as_bytes()).into()
            }
            Some(_) | None => false,
        }
    }
}

/// To, from and body, if all is there.
fn checked(fields: &Fields) -> Result<(String, String, String), SimAnswer> {
    let to = fields.filled("To").ok_or_else(|| failed(400, 21604, "A 'To' phone number is required."))?;
    let digits = to.strip_prefix('+').unwrap_or_default();
    let e164 = (7..=15).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    if !e164 {
        return Err(bad_number(&to));
    }
    let from = fields.filled("From").or_else(|| fields.filled("MessagingServiceSid"));
    let from = from.ok_or_else(|| failed(400, 21603, "A 'From' phone number is required."))?;
    let text = fields.filled("Body").ok_or_else(|| failed(400, 21602, "Message body is required."))?;
    if text.chars().count() > BODY_CHARS_MAX {
        let why = "The concatenated message body exceeds the 1600 character limit";
        return Err(failed(400, 21617, why));
    }
    Ok((to, from, text))
}

fn created(
    account: &str,
    number: u64,
    to: &str,
    from: &str,
    text: &str,
    status: &str,
    now: i64,
) -> SimAnswer {
    let sid = format!("SM{number:032x}");
    let date = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    let date = date.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let (code, why) = match status {
        "failed" => (json!(30008), json!("Unknown error")),
        _ => (json!(null), json!(null)),
    };
    SimAnswer::json(
        201,
        &json!({
            "sid": sid,
            "account_sid": account,
            "status": status,
            "error_code": code,
            "error_message": why,
            "to": to,
            "from": from,
            "body": text,
            "num_segments": "1",
            "date_created": date,
            "uri": format!("/2010-04-01/Accounts/{account}/Messages/{sid}.json"),
        }),
    )
}

fn unauthorized() -> SimAnswer {
    failed(401, 20003, "Authenticate").with_header("www-authenticate", "Basic realm=\"Twilio API\"")
}

fn bad_number(number: &str) -> SimAnswer {
    failed(400, 21211, &format!("The 'To' number {number} is not a valid phone number."))
}

fn newer() -> SimAnswer {
    let body = json!({
        "type": "https://www.twilio.com/docs/errors/21211",
        "title": "Invalid 'To' Phone Number",
        "status": 400,
        "code": 21211,
    });
    SimAnswer::json(400, &body).called("21211")
}

fn too_many(plan: &Plan<TwilioTrouble>) -> SimAnswer {
    failed(429, 20429, "Too Many Requests").with_header("retry-after", &plan.retry_after_s.to_string())
}

fn failed(status: u16, code: u32, message: &str) -> SimAnswer {
    let body = json!({
        "code": code,
        "message": message,
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
        "status": status,
    });
    SimAnswer::json(status, &body).called(&code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twilio() -> Twilio {
        Twilio::new("AC1", "t")
    }

    fn request(fields: &[(&str, &str)]) -> SimRequest {
        let basic = format!("Basic {}", STANDARD.encode("AC1:t"));
        SimRequest::form("/", fields).authorized(&basic)
    }

    const GOOD: [(&str, &str); 3] = [("To", "+37120000000"), ("From", "+15017122661"), ("Body", "hello")];

    #[test]
    fn a_message_is_taken() {
        let (answer, message) = twilio().answer("AC1", &request(&GOOD), 1_692_853_305_000);
        let body = answer.value();
        assert_eq!((answer.status, &body["status"]), (201, &json!("queued")));
        assert_eq!(body["date_created"], "Thu, 24 Aug 2023 05:01:45 +0000");
        assert_eq!(message.unwrap().to, "+37120000000");
    }

    #[test]
    fn mistakes_get_the_real_errors() {
        let code = |account: &str, request: &SimRequest| {
            let (answer, message) = twilio().answer(account, request, 0);
            assert_eq!(message, None);
            (answer.status, answer.value()["code"].as_u64().unwrap())
        };
        assert_eq!(code("AC1", &SimRequest::form("/", &GOOD)), (401, 20003));
        assert_eq!(code("AC2", &request(&GOOD)), (404, 20404));
        assert_eq!(code("AC1", &request(&[("To", "12"), GOOD[1], GOOD[2]])), (400, 21211));
        assert_eq!(code("AC1", &request(&[GOOD[0], GOOD[2]])), (400, 21603));
        assert_eq!(code("AC1", &request(&[GOOD[0], GOOD[1]])), (400, 21602));
    }

    #[test]
    fn a_created_message_may_have_failed() {
        let mut twilio = twilio();
        twilio.script.push(Plan::times(TwilioTrouble::Failed, 1));
        let (answer, message) = twilio.answer("AC1", &request(&GOOD), 0);
        assert_eq!((answer.status, message), (201, None));
        assert_eq!(answer.value()["status"], "failed");
    }
}
