//! A receiver of webhooks, simulated (`POST /webhook`): strict about the signature and its age.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Sha256;

use crate::sim::answer::{Deliver, SimAnswer};
use crate::sim::inbox::InboxMessage;
use crate::sim::request::SimRequest;
use crate::sim::script::TroubleScript;

/// Where it listens.
pub const PATH: &str = "/webhook";
/// An older signature, or one from further ahead, is refused.
const AGE_S_MAX: i64 = 300;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookTrouble {
    /// 401.
    Unauthorized,
    /// 302 to another host.
    Moved,
    /// 410.
    Gone,
    /// 429 with `Retry-After` in seconds.
    TooManyRequests,
    /// 503 with `Retry-After` as a date.
    UnavailableDate,
    /// 500.
    ServerError,
    /// The message is taken, late.
    Slow,
    /// The connection is closed; nothing was taken.
    Close,
    /// The connection is closed; the message was taken.
    Lost,
}

/// The simulated receiver.
#[derive(Clone, Default)]
pub struct Webhook {
    /// What signs; empty: signatures are not looked at.
    pub secret: String,
    /// What is to go wrong.
    pub script: TroubleScript<WebhookTrouble>,
    taken: u64,
}

impl Webhook {
    /// A receiver that shares that secret.
    pub fn new(secret: &str) -> Webhook {
        Webhook { secret: secret.to_owned(), ..Webhook::default() }
    }

    /// What the receiver answers, and the message if it took one.
    pub fn answer(&mut self, request: &SimRequest, now: i64) -> (SimAnswer, Option<InboxMessage>) {
        let Some(plan) = self.script.take() else {
            return self.honest(request, now);
        };
        match plan.what {
            WebhookTrouble::Unauthorized => (failed(401, "the signature is wrong"), None),
            WebhookTrouble::Moved => (SimAnswer::redirect("http://elsewhere.test/"), None),
            WebhookTrouble::Gone => (failed(410, "nobody listens any more"), None),
            WebhookTrouble::TooManyRequests => {
                (failed(429, "too many requests").to_come_back(plan.retry_after_s, None), None)
            }
            WebhookTrouble::UnavailableDate => {
                (failed(503, "not now").to_come_back(plan.retry_after_s, Some(now)), None)
            }
            WebhookTrouble::ServerError => (failed(500, "internal error"), None),
            WebhookTrouble::Close => (SimAnswer::closed(), None),
            WebhookTrouble::Slow | WebhookTrouble::Lost => {
                let (answer, message) = self.honest(request, now);
                let lost = plan.what == WebhookTrouble::Lost;
                let deliver = if lost { Deliver::Closed } else { Deliver::After(plan.ms) };
                (answer.delivered(deliver), message)
            }
        }
    }

    fn honest(&mut self, request: &SimRequest, now: i64) -> (SimAnswer, Option<InboxMessage>) {
        if let Err(why) = self.check(request, now) {
            return (failed(401, why), None);
        }
        let Ok(fields) = request.fields() else {
            return (failed(400, "the body is no JSON object"), None);
        };
        let (subject, Some(text), Some(_)) =
            (fields.text("subject").unwrap_or_default(), fields.filled("text"), fields.filled("key"))
        else {
            return (failed(422, "`text` or `key` is missing"), None);
        };
        self.taken += 1;
        let (channel, none) = ("webhook".to_owned(), String::new);
        let message =
            InboxMessage { channel, from: none(), to: request.path.clone(), subject, text, at: now };
        (SimAnswer::json(200, &json!({"id": format!("hook-{}", self.taken)})), Some(message))
    }

    fn check(&self, request: &SimRequest, now: i64) -> Result<(), &'static str> {
        if self.secret.is_empty() {
            return Ok(());
        }
        let given = request.signature.strip_prefix("t=").and_then(|it| it.split_once(",v1="));
        let (seconds, hex) = given.ok_or("there is no signature")?;
        let at: i64 = seconds.parse().map_err(|_| "the time of the signature is no number")?;
        if (now.div_euclid(1_000) - at).abs() > AGE_S_MAX {
            return Err("the signature is too old");
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).map_err(|_| "no secret")?;
        mac.update(seconds.as_bytes());
        mac.update(b".");
        mac.update(&request.body);
        let proof = bytes(hex).ok_or("the signature is no hex")?;
        mac.verify_slice(&proof).map_err(|_| "the signature is wrong")
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn failed(status: u16, why: &str) -> SimAnswer {
    SimAnswer::json(status, &json!({"error": why})).called(&status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1700000000.{"subject":"s","text":"t","key":"k"}' | openssl dgst -sha256 -hmac secret`
    const PROOF: &str = "a875cdbb5b0858c409397f4328f68676713e837a302981a7ea27aa2d539a772c";

    fn signed(time: &str, proof: &str) -> SimRequest {
        let mut request = SimRequest::json(PATH, &json!({"subject": "s", "text": "t", "key": "k"}));
        request.signature = format!("t={time},v1={proof}");
        request
    }

    #[test]
    fn only_what_is_signed_and_fresh_is_taken() {
        let mut webhook = Webhook::new("secret");
        let now = 1_700_000_010_000;
        let mut status = |request: &SimRequest, now: i64| webhook.answer(request, now).0.status;
        assert_eq!(status(&signed("1700000000", PROOF), now), 200);
        assert_eq!(status(&signed("1700000000", PROOF), now + 300_000), 401);
        assert_eq!(status(&signed("1700000001", PROOF), now), 401);
        assert_eq!(status(&signed("1700000000", "zz"), now), 401);
        assert_eq!(status(&SimRequest { signature: String::new(), ..signed("", "") }, now), 401);
        let other = SimRequest { body: b"{}".to_vec(), ..signed("1700000000", PROOF) };
        assert_eq!(status(&other, now), 401);
    }
}
