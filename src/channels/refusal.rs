//! Why a provider did not take a message, as a fault. Providers disagree on statuses, so a channel may know
//! better than the status says.

use serde_json::{Map, Value};

use crate::channels::words::words;
use crate::model::effect::HttpAnswer;
use crate::model::fault::Fault;
use crate::model::time::{Span, Timestamp};

/// A longer wait is not believed.
const RETRY_AFTER_MAX: Span = Span::days(1);

/// Why a provider did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The keys are not good; a person must look.
    Keys,
    /// Too much at once; it may pass.
    Limited,
    /// The provider has trouble of its own; it may pass.
    Failed,
    /// Anything else; it will not pass.
    Refused,
}

impl Why {
    /// What the status says.
    pub fn of(status: u16) -> Why {
        match status {
            401 => Why::Keys,
            429 => Why::Limited,
            408 | 425 | 500..=599 => Why::Failed,
            _ => Why::Refused,
        }
    }

    /// The fault of an answer that failed for this; what the provider said is in `said`.
    pub fn fault(self, answer: &HttpAnswer, said: &str) -> Fault {
        let status = answer.status;
        let said = match words(said) {
            it if it.is_empty() => format!("status {status}"),
            it => format!("{it} (status {status})"),
        };
        let mut fault = match self {
            Why::Keys => Fault::lasting("channel_keys", said + "; hint: look at the keys of the channel"),
            Why::Limited => Fault::passing("channel_limited", said),
            Why::Failed => Fault::passing("channel_failed", said),
            Why::Refused => Fault::lasting("channel_refused", said),
        };
        fault.status = Some(status);
        fault.retry_after = retry_after(&answer.headers);
        fault
    }
}

/// The fault of an answer by its status alone.
pub fn refused(answer: &HttpAnswer, said: &str) -> Fault {
    Why::of(answer.status).fault(answer, said)
}

/// The fault of an answer that cannot be understood.
pub fn strange(answer: &HttpAnswer, what: &str) -> Fault {
    if answer.status >= 400 {
        return refused(answer, "");
    }
    let mut fault = Fault::lasting("bad_response", format!("{what} (status {})", answer.status));
    fault.status = Some(answer.status);
    fault
}

/// How long the provider asks us to wait, in its headers: in seconds, or until a date by its own clock.
fn retry_after(headers: &Map<String, Value>) -> Option<Span> {
    let text = |name: &str| headers.get(name)?.as_str().map(str::trim);
    let given = text("retry-after")?;
    let span = match given.parse::<u64>() {
        Ok(secs) => Span::secs(secs.min(RETRY_AFTER_MAX.0 / 1_000)),
        Err(_) => moment(given)?.since(moment(text("date")?)?),
    };
    Some(span.min(RETRY_AFTER_MAX))
}

fn moment(date: &str) -> Option<Timestamp> {
    let time = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(Timestamp(time.timestamp().as_millisecond()))
}
