//! [`Notifiers`]: the providers that tell people (Telegram, Twilio, MessageBird, UniSender, Mandrill, a
//! receiver of webhooks, a mail server) and the messages they took. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sim::answer::SimAnswer;
use crate::sim::inbox::{Inbox, InboxMessage};
use crate::sim::mandrill::Mandrill;
use crate::sim::messagebird::{self, Messagebird};
use crate::sim::request::SimRequest;
use crate::sim::script::TroubleScript;
use crate::sim::telegram::Telegram;
use crate::sim::twilio::Twilio;
use crate::sim::unisender::Unisender;
use crate::sim::webhook::{self, Webhook};

/// What goes wrong with mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTrouble {
    /// 535 at the login.
    BadLogin,
    /// 451 at the sender.
    Busy,
    /// 550 at the recipient.
    NoMailbox,
    /// The connection is closed at the sender.
    Close,
    /// The message is taken, and the connection closed before it says so.
    Lost,
    /// No answer any more, from the sender on.
    Silent,
}

/// The simulated mail server's door.
#[derive(Clone, Default)]
pub struct MailDoor {
    /// Who may log in.
    pub user: String,
    /// With this password.
    pub password: String,
    /// Mail is refused without a login.
    pub login_required: bool,
    /// What is to go wrong.
    pub script: TroubleScript<MailTrouble>,
}

/// What the providers accept.
#[derive(Clone)]
pub struct Keys {
    /// The bot's token.
    pub telegram_token: String,
    /// Twilio's account.
    pub twilio_account: String,
    /// Its token.
    pub twilio_token: String,
    /// MessageBird's key.
    pub messagebird_key: String,
    /// MessageBird's key for v1.
    pub bird_key: String,
    /// UniSender's key.
    pub unisender_key: String,
    /// Mandrill's key.
    pub mandrill_key: String,
    /// What signs webhooks.
    pub webhook_secret: String,
    /// Who may send mail.
    pub smtp_user: String,
    /// With this password.
    pub smtp_password: String,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys {
            telegram_token: "1000000001:SIMULATED-bot-token-of-beltline-sim".to_owned(),
            twilio_account: "AC00000000000000000000000000000001".to_owned(),
            twilio_token: "simulatedtwilioauthtoken00000001".to_owned(),
            messagebird_key: "live_SimulatedMessagebird001".to_owned(),
            bird_key: "bird_live_SimulatedBird000000001".to_owned(),
            unisender_key: "5imu1atedunisenderkey00000000001".to_owned(),
            mandrill_key: "md-SimulatedMandrill01".to_owned(),
            webhook_secret: "simulated-webhook-secret-00000001".to_owned(),
            smtp_user: "sim".to_owned(),
            smtp_password: "simulated-password".to_owned(),
        }
    }
}

/// The providers and the messages they took.
pub struct Notifiers {
    /// Telegram's bot.
    pub telegram: Telegram,
    /// Twilio's account.
    pub twilio: Twilio,
    /// MessageBird's account.
    pub messagebird: Messagebird,
    /// UniSender's account.
    pub unisender: Unisender,
    /// Mandrill's account.
    pub mandrill: Mandrill,
    /// The receiver of webhooks.
    pub webhook: Webhook,
    /// The mail server's door.
    pub mail: MailDoor,
    /// What was taken.
    pub inbox: Inbox,
    counts: BTreeMap<String, BTreeMap<String, u64>>,
    keys: Keys,
}

impl Notifiers {
    /// Providers that accept these keys.
    pub fn new(keys: Keys) -> Notifiers {
        Notifiers {
            telegram: Telegram::new(&keys.telegram_token),
            twilio: Twilio::new(&keys.twilio_account, &keys.twilio_token),
            messagebird: Messagebird::new(&keys.messagebird_key, &keys.bird_key),
            unisender: Unisender::new(&keys.unisender_key),
            mandrill: Mandrill::new(&keys.mandrill_key),
            webhook: Webhook::new(&keys.webhook_secret),
            mail: MailDoor {
                user: keys.smtp_user.clone(),
                password: keys.smtp_password.clone(),
                ..MailDoor::default()
            },
            inbox: Inbox::default(),
            counts: BTreeMap::new(),
            keys,
        }
    }

    /// Back to the beginning.
    pub fn reset(&mut self) {
        *self = Notifiers::new(self.keys.clone());
    }

    /// What the providers' HTTP server answers.
    pub fn answer(&mut self, request: &SimRequest, now: i64) -> SimAnswer {
        let Some((provider, answer, messages)) = self.asked(request, now) else {
            return SimAnswer::text(404, "Not Found");
        };
        self.count(provider, &answer.result);
        for message in messages {
            self.inbox.add(message);
        }
        answer
    }

    /// Each provider has paths of its own, so one address serves all.
    fn asked(
        &mut self,
        request: &SimRequest,
        now: i64,
    ) -> Option<(&'static str, SimAnswer, Vec<InboxMessage>)> {
        let path = request.path.as_str();
        let between = |head: &str, tail: &str| path.strip_prefix(head)?.strip_suffix(tail);
        let one =
            |(answer, message): (SimAnswer, Option<InboxMessage>)| (answer, message.into_iter().collect());
        let (provider, (answer, messages)) = if let Some(call) = path.strip_prefix("/bot") {
            ("telegram", one(self.telegram.answer(call, request, now)))
        } else if let Some(account) = between("/2010-04-01/Accounts/", "/Messages.json") {
            ("twilio", one(self.twilio.answer(account, request, now)))
        } else if [messagebird::CLASSIC, messagebird::V1].contains(&path) {
            ("messagebird", self.messagebird.answer(request, now))
        } else if let Some((_, call)) = between("/api/1.", ".json").and_then(|it| it.split_once("/messages/"))
        {
            ("mandrill", self.mandrill.answer(call, request, now))
        } else if let Some((_, method)) = path.split_once("/api/").filter(|(lang, _)| lang.len() == 3) {
            ("unisender", self.unisender.answer(method, request, now))
        } else if path == webhook::PATH {
            ("webhook", one(self.webhook.answer(request, now)))
        } else {
            return None;
        };
        Some((provider, answer, messages))
    }

    /// The mail server took a message.
    pub fn take_mail(&mut self, message: InboxMessage) {
        self.count("smtp", "ok");
        self.inbox.add(message);
    }

    /// Counts one attempt.
    pub fn count(&mut self, provider: &str, result: &str) {
        let results = self.counts.entry(provider.to_owned()).or_default();
        *results.entry(result.to_owned()).or_default() += 1;
    }

    /// How often `provider` ended in `result`.
    pub fn counted(&self, provider: &str, result: &str) -> u64 {
        self.counts.get(provider).and_then(|it| it.get(result)).copied().unwrap_or(0)
    }

    /// Everything a person may see; no key.
    pub fn state(&self) -> Value {
        json!({
            "telegram": {"chats": self.telegram.chats, "fail": self.telegram.script},
            "twilio": {"fail": self.twilio.script},
            "messagebird": {"fail": self.messagebird.script},
            "unisender": {"senders": self.unisender.senders, "fail": self.unisender.script},
            "mandrill": {"templates": self.mandrill.templates, "fail": self.mandrill.script},
            "webhook": {"fail": self.webhook.script},
            "smtp": {"login_required": self.mail.login_required, "fail": self.mail.script},
            "counts": self.counts,
            "messages_taken": self.inbox.taken(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_all_providers_are_kept_together() {
        let mut notifiers = Notifiers::new(Keys::default());
        let path = format!("/bot{}/sendMessage", Keys::default().telegram_token);
        let telegram = SimRequest::json(&path, &json!({"chat_id": "@ops", "text": "one"}));
        assert_eq!(notifiers.answer(&telegram, 1).status, 200);
        let path = "/2010-04-01/Accounts/AC1/Messages.json";
        assert_eq!(notifiers.answer(&SimRequest::form(path, &[]), 2).status, 401);
        assert_eq!(notifiers.answer(&SimRequest::get("/else"), 3).status, 404);
        assert_eq!(notifiers.inbox.last().unwrap().to, "@ops");
        assert_eq!((notifiers.counted("telegram", "ok"), notifiers.counted("twilio", "20003")), (1, 1));
    }

    #[test]
    fn the_state_shows_no_key() {
        let state = Notifiers::new(Keys::default()).state().to_string();
        let keys = Keys::default();
        for key in [
            keys.telegram_token,
            keys.twilio_token,
            keys.messagebird_key,
            keys.bird_key,
            keys.unisender_key,
            keys.mandrill_key,
            keys.webhook_secret,
            keys.smtp_password,
        ] {
            assert!(!state.contains(&key));
        }
    }
}
