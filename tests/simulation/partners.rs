//! [`Partner`]: who is asked over HTTP. [`Author`]: who is told. Both answer in virtual time.

use beltline::model::effect::{
    Delivery, Effect, ExternalAnswer, HttpAnswer, HttpRequest, Notification, Outcome,
};
use beltline::model::fault::Fault;
use beltline::model::time::{Span, Timestamp};
use serde_json::{Map, Value};

/// What came of a request, and when.
pub(crate) struct Reply {
    pub(crate) outcome: Outcome,
    pub(crate) took: Span,
    /// The token pair that the answer carries: lost, if the answer is.
    pub(crate) pair: Option<u64>,
}

impl Reply {
    pub(crate) fn new(outcome: Outcome) -> Reply {
        Reply { outcome, took: Span::millis(100), pair: None }
    }
}

/// Who is asked over HTTP.
pub(crate) trait Partner: Send {
    fn ask(&mut self, ask: &HttpRequest, effect: &Effect, now: Timestamp) -> Reply;
    /// The answer with that token pair never arrived.
    fn lose(&mut self, _pair: u64) {}
}

/// An answer without headers.
#[expect(clippy::unnecessary_wraps, reason = "it stands in lists beside faults")]
pub(crate) fn answer(status: u16, body: impl Into<Value>) -> Outcome {
    Ok(ExternalAnswer::Http(HttpAnswer { status, headers: Map::new(), body: body.into(), broken: None }))
}

/// Answers from a list, the last one for ever. What it was asked is kept.
pub(crate) struct Scripted {
    pub(crate) answers: Vec<Outcome>,
    pub(crate) asked: std::sync::Arc<std::sync::Mutex<Vec<(String, HttpRequest)>>>,
}

impl Scripted {
    pub(crate) fn new(answers: Vec<Outcome>) -> Scripted {
        Scripted { answers, asked: std::sync::Arc::default() }
    }
}

impl Partner for Scripted {
    fn ask(&mut self, ask: &HttpRequest, effect: &Effect, _: Timestamp) -> Reply {
        self.asked.lock().unwrap().push((effect.key.clone(), ask.clone()));
        let outcome = match self.answers.len() {
            0 => answer(200, serde_json::json!({})),
            1 => self.answers[0].clone(),
            _ => self.answers.remove(0),
        };
        Reply::new(outcome)
    }
}

/// A message that reached the author.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// The author of the processes.
#[derive(Default)]
pub(crate) struct Author {
    pub(crate) told: Vec<Told>,
    /// Why no channel delivers.
    pub(crate) deaf: Option<Fault>,
}

impl Author {
    pub(crate) fn hear(&mut self, ask: &Notification) -> Reply {
        if let Some(fault) = &self.deaf {
            return Reply::new(Err(fault.clone()));
        }
        self.told.push(Told { subject: ask.subject.clone(), text: ask.text.clone() });
        let deliver = |channel: &String| Delivery { channel: channel.clone(), result: Ok("1".to_owned()) };
        Reply::new(Ok(ExternalAnswer::Notified(ask.channels.iter().map(deliver).collect())))
    }
}
