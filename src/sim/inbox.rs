//! [`Inbox`]: the messages that the simulated providers took, newest last, for tests and people to read.

use std::collections::VecDeque;

use serde::Serialize;

/// The most messages kept; the oldest go first.
pub const MESSAGES_MAX: usize = 1_000;

/// A message that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InboxMessage {
    /// As it stands after `via`, such as `telegram`.
    pub channel: String,
    /// From whom; empty for Telegram, where it is the bot.
    pub from: String,
    /// The chat, the number or the address.
    pub to: String,
    /// Only mails and webhooks have one.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// When it was taken, in milliseconds since 1970.
    pub at: i64,
}

/// The messages that were taken.
#[derive(Default)]
pub struct Inbox {
    messages: VecDeque<InboxMessage>,
    taken: u64,
}

impl Inbox {
    /// Takes one message.
    pub fn add(&mut self, message: InboxMessage) {
        if self.messages.len() == MESSAGES_MAX {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
        self.taken += 1;
    }

    /// Those still kept, oldest first.
    pub fn all(&self) -> Vec<InboxMessage> {
        self.messages.iter().cloned().collect()
    }

    /// The newest.
    pub fn last(&self) -> Option<&InboxMessage> {
        self.messages.back()
    }

    /// How many were taken since the start.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_messages_go_first() {
        let mut inbox = Inbox::default();
        for at in 0..1_005 {
            let text = String::new;
            let channel = "smtp".to_owned();
            inbox.add(InboxMessage { channel, from: text(), to: text(), subject: text(), text: text(), at });
        }
        assert_eq!((inbox.all().len(), inbox.all()[0].at, inbox.taken()), (MESSAGES_MAX, 5, 1_005));
    }
}
