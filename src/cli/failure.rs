//! How a failure is told: one line of what went wrong, one of what may help, and the exit code.

use std::io::{self, Write};

use serde_json::json;
use thiserror::Error;

/// It was not done.
pub const FAILED: u8 = 1;
/// It was asked in a way that cannot be understood.
pub const USAGE: u8 = 2;
/// What parts a message from its hint, everywhere in this house.
const HINT: &str = "; hint: ";

/// The arguments are read, and still make no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Tells the failure on stderr and gives the exit code. A reader that left early is no failure.
pub fn tell(error: &anyhow::Error, as_json: bool) -> u8 {
    if error.chain().filter_map(|it| it.downcast_ref::<io::Error>()).any(is_broken_pipe) {
        return 0;
    }
    let (message, hint) = parts(error);
    let text = match (as_json, &hint) {
        (true, _) => json!({"error": message, "hint": hint}).to_string(),
        (false, Some(hint)) => format!("error: {message}\nhint: {hint}"),
        (false, None) => format!("error: {message}"),
    };
    // With stderr gone there is no one left to tell.
    drop(writeln!(io::stderr(), "{text}"));
    if error.downcast_ref::<Usage>().is_some() { USAGE } else { FAILED }
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// The whole chain as one message, and the hints in it as one hint.
fn parts(error: &anyhow::Error) -> (String, Option<String>) {
    let mut messages: Vec<String> = Vec::new();
    let mut hints = Vec::new();
    for link in error.chain() {
        let text = link.to_string();
        let mut pieces = text.split(HINT);
        let message = pieces.next().unwrap_or_default().to_owned();
        // Some libraries repeat their cause in their own words.
        if !messages.iter().any(|told| told.contains(&message)) {
            messages.push(message);
        }
        hints.extend(pieces.map(str::to_owned));
    }
    hints.dedup();
    let hint = (!hints.is_empty()).then(|| hints.join("; "));
    (messages.join(": "), hint)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_chain_is_told_in_one_line_and_its_hint_in_another() {
        let error = anyhow!("the port is taken; hint: choose another").context("cannot listen");
        let (message, hint) = parts(&error);
        assert_eq!(message, "cannot listen: the port is taken");
        assert_eq!(hint.as_deref(), Some("choose another"));
    }

    #[test]
    fn a_usage_error_has_its_own_exit_code() {
        assert_eq!(tell(&Usage("no".into()).into(), false), USAGE);
        assert_eq!(tell(&anyhow!("no"), true), FAILED);
    }
}
