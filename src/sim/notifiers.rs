//! [`Notifiers`]: the providers that tell people (Telegram, Twilio, a mail server) and the messages they
//! took. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sim::answer::Answer;
use crate::sim::inbox::{Inbox, Message};
use crate::sim::request::Request;
use crate::sim::script::Script;
use crate::sim::telegram::Telegram;
use crate::sim::twilio::Twilio;

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
    pub script: Script<MailTrouble>,
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
    pub fn answer(&mut self, request: &Request, now: i64) -> Answer {
        let path = request.path.as_str();
        let twilio =
            path.strip_prefix("/2010-04-01/Accounts/").and_then(|rest| rest.strip_suffix("/Messages.json"));
        let (provider, (answer, message)) = match (path.strip_prefix("/bot"), twilio) {
            (Some(call), _) => ("telegram", self.telegram.answer(call, request, now)),
            (None, Some(account)) => ("twilio", self.twilio.answer(account, request, now)),
            (None, None) => return Answer::text(404, "Not Found"),
        };
        self.count(provider, &answer.result);
        if let Some(message) = message {
            self.inbox.add(message);
        }
        answer
    }

    /// The mail server took a message.
    pub fn take_mail(&mut self, message: Message) {
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
        let telegram = Request::json(&path, &json!({"chat_id": "@ops", "text": "one"}));
        assert_eq!(notifiers.answer(&telegram, 1).status, 200);
        let path = "/2010-04-01/Accounts/AC1/Messages.json";
        assert_eq!(notifiers.answer(&Request::form(path, &[]), 2).status, 401);
        assert_eq!(notifiers.answer(&Request::get("/else"), 3).status, 404);
        assert_eq!(notifiers.inbox.last().unwrap().to, "@ops");
        assert_eq!((notifiers.counted("telegram", "ok"), notifiers.counted("twilio", "20003")), (1, 1));
    }

    #[test]
    fn the_state_shows_no_key() {
        let state = Notifiers::new(Keys::default()).state().to_string();
        for key in [Keys::default().telegram_token, Keys::default().smtp_password] {
            assert!(!state.contains(&key));
        }
    }
}
