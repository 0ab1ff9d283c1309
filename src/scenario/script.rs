//! [`WorldScript`]: the world of a case. It answers from its lines, and remembers what it was asked and
//! told.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::effect::{
    Delivery, Effect, ExternalAnswer, HttpAnswer, HttpRequest, Notification, Outcome, Request,
};
use crate::model::fault::Fault;
use crate::model::names::ProcessId;
use crate::model::scope::{EvalContext, ReadSet};
use crate::model::task::Task;
use crate::model::time::{Span, Timestamp};
use crate::model::tree::Spot;
use crate::scenario::compare::compare;
use crate::scenario::diff::Miss;
use crate::scenario::file::{Come, RequestMatch, RequestPart, ScriptedAnswer, ScriptedReply};
use crate::scenario::request::{opened, parts_of};

/// What came of an effect, and how long it took.
#[derive(Clone, Debug)]
pub struct Performed {
    /// What came.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Span,
}

/// A message that reached somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptMessage {
    /// The channels that delivered it.
    pub by: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// The requests of one node.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// How many there were since it was looked at last.
    pub times: u64,
    /// The parts of the last one of all.
    pub last: Value,
}

/// The world of a case.
#[derive(Debug)]
pub struct WorldScript {
    lines: Vec<(ScriptedAnswer, u64)>,
    secrets: BTreeMap<String, String>,
    home: ProcessId,
    /// Where a line that is missing would stand.
    place: Spot,
    /// By node, or by `process/node` for those of other processes.
    pub asked: BTreeMap<String, Requests>,
    /// Since it was looked at last.
    pub notified: Vec<ScriptMessage>,
}

impl WorldScript {
    /// For a case of the process `home`.
    pub fn new(
        lines: &[ScriptedAnswer],
        secrets: &BTreeMap<String, String>,
        home: &ProcessId,
        place: Spot,
    ) -> WorldScript {
        WorldScript {
            lines: lines.iter().map(|line| (line.clone(), 0)).collect(),
            secrets: secrets.clone(),
            home: home.clone(),
            place,
            asked: BTreeMap::new(),
            notified: Vec::new(),
        }
    }

    /// Performs the effect of `task`.
    ///
    /// # Errors
    /// Nobody answers such a request, or it is not as the script has it.
    pub fn perform(
        &mut self,
        task: &Task,
        effect: &Effect,
        scope: &ReadSet,
        now: Timestamp,
    ) -> Result<Performed, Vec<Miss>> {
        let view = EvalContext::new(task.clone(), scope, now);
        match &effect.request {
            Request::Http(ask) => self.answer(ask, effect.timeout, &view),
            Request::Notify(ask) => self.hear(ask, effect.timeout, &view),
        }
    }

    fn answer(
        &mut self,
        ask: &HttpRequest,
        timeout: Span,
        view: &EvalContext,
    ) -> Result<Performed, Vec<Miss>> {
        let parts = parts_of(ask, &self.secrets);
        let name = self.node_name(&view.task);
        let requests = self.asked.entry(name.clone()).or_default();
        requests.times += 1;
        requests.last = parts.clone();
        let url = parts["url"].as_str().unwrap_or_default();
        let line = self.lines.iter_mut().find(|(line, used)| {
            line.to.tell.is_none()
                && open(line, *used)
                && from(&line.to, &view.task, &self.home)
                && line.to.method.as_ref().is_none_or(|it| *it == ask.method)
                && line.to.url.as_ref().is_none_or(|it| fits(it, url))
        });
        let Some((line, used)) = line else {
            return Err(vec![self.nobody(&name, &format!("{} {url}", ask.method))]);
        };
        *used += 1;
        let misses = parts_wrong(&line.parts, &format!("the request of node `{name}`"), &parts, view);
        if !misses.is_empty() {
            return Err(misses);
        }
        let reply = reply(line, *used);
        let outcome = match &reply.come {
            Come::Http { status, headers, body } => {
                let view = sight(view, *used, parts);
                let body = body.fill(&view).map_err(|fault| {
                    let what = format!("the answer to node `{name}` cannot be made: {}", fault.message);
                    vec![Miss::new(line.spot, what)]
                })?;
                Ok(ExternalAnswer::Http(HttpAnswer {
                    status: *status,
                    headers: headers.clone(),
                    body,
                    broken: None,
                }))
            }
            Come::Fault(fault) => Err(fault.clone()),
            Come::Delivered { .. } => {
                let what = format!("the request of node `{name}` is no message that could be delivered");
                return Err(vec![Miss::new(line.spot, what)]);
            }
        };
        Ok(Performed { took: took(reply, &outcome, timeout), outcome })
    }

    /// A message that no line speaks of is delivered by the first channel.
    fn hear(
        &mut self,
        ask: &Notification,
        timeout: Span,
        view: &EvalContext,
    ) -> Result<Performed, Vec<Miss>> {
        let name = self.node_name(&view.task);
        let line = self.lines.iter_mut().find(|(line, used)| {
            let named = |tell: &String| tell == "any" || ask.channels.contains(tell);
            line.to.url.is_none()
                && open(line, *used)
                && from(&line.to, &view.task, &self.home)
                && line.to.tell.as_ref().is_none_or(named)
        });
        let plain = ScriptedReply { took: None, come: Come::Delivered { by: None } };
        let (spot, reply) = match line {
            Some((line, used)) => {
                *used += 1;
                (line.spot, reply(line, *used).clone())
            }
            None => (self.place, plain),
        };
        let by: Vec<String> = match &reply.come {
            Come::Delivered { by: Some(by) } => vec![by.clone()],
            Come::Delivered { by: None } if ask.all => ask.channels.clone(),
            Come::Delivered { by: None } => ask.channels.iter().take(1).cloned().collect(),
            Come::Fault(fault) => {
                let outcome = Err(fault.clone());
                return Ok(Performed { took: took(&reply, &outcome, timeout), outcome });
            }
            Come::Http { .. } => {
                let what = format!("the message of node `{name}` is no request that has such an answer");
                let hint = "write `answer: delivered` or `answer: not_delivered`";
                return Err(vec![Miss::new(spot, what).hint(hint)]);
            }
        };
        let text = |text: &str| opened(text, &self.secrets);
        let message = ScriptMessage { by: by.clone(), subject: text(&ask.subject), text: text(&ask.text) };
        self.notified.push(message);
        let delivery = |channel| Delivery { channel, result: Ok("1".to_owned()) };
        let outcome = Ok(ExternalAnswer::Notified(by.into_iter().map(delivery).collect()));
        Ok(Performed { took: took(&reply, &outcome, timeout), outcome })
    }

    fn nobody(&self, node: &str, request: &str) -> Miss {
        let spent = self.lines.iter().any(|(line, used)| {
            line.to.node.as_deref() == Some(node) && line.times.is_some_and(|times| *used >= times)
        });
        let what = format!("node `{node}` asks `{request}`, and nobody answers");
        let what = if spent { format!("{what} any more: its lines are used up") } else { what };
        let hint = format!("add `- {{node: {node}, answer: {{json: {{…}}}}}}` to `world:`");
        Miss::new(self.place, what).hint(hint)
    }

    /// The node as a scenario names it.
    fn node_name(&self, task: &Task) -> String {
        if task.process == self.home { task.at.to_string() } else { format!("{}/{}", task.process, task.at) }
    }
}

/// What is wrong with the parts of a request.
pub(super) fn parts_wrong(wanted: &[RequestPart], of: &str, parts: &Value, view: &EvalContext) -> Vec<Miss> {
    let wrong = |want: &RequestPart| {
        let part = parts.get(&want.part);
        let (name, got) = match &want.name {
            None => (want.part.clone(), part),
            Some(name) if want.part == "headers" => {
                (format!("headers.{name}"), part.and_then(|it| it.get(name.to_lowercase())))
            }
            Some(name) => (format!("{}.{name}", want.part), part.and_then(|it| it.get(name))),
        };
        compare(&want.want, &format!("`{name}` of {of}"), got, view)
    };
    wanted.iter().filter_map(wrong).collect()
}

fn open(line: &ScriptedAnswer, used: u64) -> bool {
    line.times.is_none_or(|times| used < times)
}

fn from(to: &RequestMatch, task: &Task, home: &ProcessId) -> bool {
    let process = to.process.as_deref();
    match &to.node {
        Some(node) => task.at.as_str() == node && task.process.as_str() == process.unwrap_or(home.as_str()),
        None => true,
    }
}

/// The answer that is given the `used`-th time: the last one again and again.
fn reply(line: &ScriptedAnswer, used: u64) -> &ScriptedReply {
    let place = usize::try_from(used).unwrap_or(usize::MAX).min(line.answers.len());
    &line.answers[place.saturating_sub(1)]
}

fn took(reply: &ScriptedReply, outcome: &Outcome, timeout: Span) -> Span {
    let late = |fault: &Fault| fault.code == "http_timeout";
    reply.took.unwrap_or(if outcome.as_ref().err().is_some_and(late) { timeout } else { Span::default() })
}

/// What an answer's placeholders see: `n`, the number of the answer, and the `request`.
fn sight(view: &EvalContext, n: u64, request: Value) -> EvalContext {
    let mut params = Map::new();
    params.insert("n".to_owned(), n.into());
    params.insert("request".to_owned(), request);
    let task = Task { params: params.into(), ..view.task.as_ref().clone() };
    EvalContext { task: std::sync::Arc::new(task), ..view.clone() }
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return text.ends_with(piece);
        }
        let Some((_, behind)) = text.split_once(piece) else { return false };
        text = behind;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, yes) in [
            ("https://a/b", "https://a/b", true),
            ("https://a/b", "https://a/bc", false),
            ("https://*/rest/*", "https://acme.example/rest/profile", true),
            ("*", "https://a", true),
            ("https://*/token", "https://a/token/", false),
            ("*/token/*", "https://a/token/x", true),
        ] {
            assert_eq!(fits(pattern, text), yes, "{pattern} {text}");
        }
    }
}
