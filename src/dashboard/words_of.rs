//! The words for what programs say in one of theirs: what was just done, a state, a class of faults.

use crate::dashboard::words::Words;

impl Words {
    /// What was just done, by the word in the query; a strange word says nothing.
    pub(super) fn said(&self, code: &str) -> Option<&'static str> {
        Some(match code {
            "added" => self.said_added,
            "modify" => self.said_modify,
            "wake" => self.said_wake,
            "retry" => self.said_retry,
            "move" => self.said_move,
            "cancel" => self.said_cancel,
            "ack" => self.said_ack,
            "kept" => self.said_kept,
            "paused" => self.said_paused,
            "resumed" => self.said_resumed,
            "deployed" => self.said_deployed,
            "cloned" => self.said_cloned,
            "copied" => self.said_copied,
            "updated" => self.said_updated,
            "secret_set" => self.said_secret_set,
            "secret_forgotten" => self.said_secret_forgotten,
            "var_text" => self.said_var_text,
            "var_json" => self.said_var_json,
            "var_forgotten" => self.said_var_forgotten,
            "channel_set" => self.said_channel_set,
            "channel_forgotten" => self.said_channel_forgotten,
            "delivered" => self.said_delivered,
            "undelivered" => self.said_undelivered,
            "user_made" => self.said_user_made,
            "user_changed" => self.said_user_changed,
            "user_forgotten" => self.said_user_forgotten,
            "token_forgotten" => self.said_token_forgotten,
            "ended" => self.said_ended,
            "password" => self.said_password,
            _ => return None,
        })
    }

    /// The word for a state.
    pub(super) fn state_of(&self, state: &str) -> &'static str {
        match state {
            "ready" => self.is_ready,
            "doing" => self.is_doing,
            "waiting" => self.is_waiting,
            "done" => self.is_done,
            "failed" => self.is_failed,
            "cancelled" => self.is_cancelled,
            _ => "?",
        }
    }

    /// The words for a class of faults.
    pub(super) fn class_of(&self, class: &str) -> &'static str {
        match class {
            "passing" => self.class_passing,
            "lasting" => self.class_lasting,
            "unsure" => self.class_unsure,
            _ => "?",
        }
    }
}
