//! `each`: runs another process for every item of a list, and takes the replies in order.
//!
//! ```yaml
//! prices:
//!   kind: each
//!   items: ["a", "{{sku}}"]
//!   process: pricing
//!   params: {sku: "{{item}}", place: "{{index}}"}
//!   parallel: 5
//!   save: {prices: "= response.body|map(attribute='price')|list"}
//!   next: order
//! ```
//!
//! `items` is a list, `"{{skus}}"` or an expression such as `= range(1000)`; `process`, `ref` and `params`
//! see `item` and `index`. At most `parallel` calls run at once. With `failures: first` the first failed call
//! ends the fan-out with its fault; with `failures: all` every call is made, and a failed one is
//! `{fault: {code, class, message}}`. `save` sees `response.body` (the replies in the order of the list),
//! `response.count` and `response.failed`; replies that it does not read are not kept. Without `save` nothing
//! is.
//!
//! ```yaml
//! mail:
//!   kind: each
//!   items: "= range(3)"
//!   process: pricing
//!   failures: all
//!   save: {sent: "= response.count - response.failed"}
//!   next: done
//! ```
//!
//! A list of more than 500 items is run in chunks, one after the other: tasks beside this one, on the same
//! node, that are removed when they are over. Chunks of chunks keep each of them small, so a million items
//! need no memory. The list must not be changed meanwhile: the fault is `items_changed`. When the fan-out
//! ends early, by a fault, a limit or a command, no further call is made; those under way go on, and their
//! replies are refused. Where `retry` is written, a passing fault makes all the calls again.

use std::borrow::Cow;
use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::fan_out::{Calling, ChunkCall, FanOut, HandedOut, PendingCalls};
use crate::model::fault::Fault;
use crate::model::kind::{CallReply, Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::list::{Items, ListSource};
use crate::model::marks::Marks;
use crate::model::names::{NodeName, ProcessId};
use crate::model::params::Params;
use crate::model::scope::EvalContext;
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::{ReplyTo, Ticket};
use crate::model::text::StringTemplate;
use crate::model::time::Span;
use crate::nodes::call::{address, free_beside};
use crate::nodes::fields::{Drafts, fill, name, refuse_reserved};

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "each",
    about: "runs another process for every item of a list",
    source: include_str!("each.rs"),
    secrets: false,
    parse: parse::<Each>,
    schema: schema::<Shape>,
};

/// How long a reply may take if nothing else is said.
const TIMEOUT_DEFAULT: Span = Span::hours(1);
/// How many calls run at once if nothing else is said.
const PARALLEL_DEFAULT: u64 = 10;
/// The most items whose calls one task makes by itself. A task is rewritten whole with every reply: more
/// would make that slow, fewer would make chunks wait for their last call more often.
const CALLS_MAX: u64 = 500;
/// A long list is run in about so many chunks: the task that reads the list is rewritten with every one.
const CHUNKS: u64 = 64;

#[derive(Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Each {
    shape: Shape,
    /// Whether `save` reads the replies.
    keeps: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// The list: `"{{skus}}"`, `= expression`, or as it is.
    items: ListSource,
    /// Which process.
    process: StringTemplate,
    /// The called task's ref; one of its own if not given.
    r#ref: Option<StringTemplate>,
    /// What it is submitted with; `item` and `index` are seen here.
    #[serde(default)]
    params: Drafts,
    /// How many calls run at once at most, from 1 to 500.
    #[serde(default = "parallel")]
    parallel: u64,
    /// How long each reply may take.
    timeout: Option<Span>,
    /// What a failed call means.
    #[serde(default)]
    failures: Failures,
    /// What is kept: `response.body` holds the replies in order, `response.count` and `response.failed` how
    /// many there are.
    #[serde(default)]
    save: Drafts,
    /// Where to.
    next: NodeName,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Failures {
    /// The first one ends the fan-out.
    #[default]
    First,
    /// All calls are made, and failed ones stand among the replies.
    All,
}

fn parallel() -> u64 {
    PARALLEL_DEFAULT
}

impl TryFrom<Shape> for Each {
    type Error = String;

    fn try_from(shape: Shape) -> Result<Each, String> {
        if !(1..=CALLS_MAX).contains(&shape.parallel) {
            return Err(format!("`parallel` is from 1 to {CALLS_MAX}"));
        }
        refuse_reserved(shape.save.keys())?;
        let answers: Vec<_> = shape.save.values().flat_map(|it| it.uses().answers).collect();
        let keeps = answers.iter().any(|name| name.is_empty() || name == "body");
        Ok(Each { shape, keeps })
    }
}

impl Kind for Each {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.shape.next)]
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        let decision = match event {
            NodeEvent::Came => self.begin(view),
            NodeEvent::Replied(CallReply { index: Some(index), answer }) => self.take(index, answer, view),
            NodeEvent::Due => self.give_up_late(view),
            NodeEvent::Signal(_) | NodeEvent::Answered(_) | NodeEvent::Command(_) | NodeEvent::Replied(_) => {
                Ok(Decision::Stay)
            }
        };
        decision.unwrap_or_else(Decision::Fail)
    }

    fn rests(&self) -> bool {
        true
    }

    /// A fan-out that is tried again makes all of its calls again: only where that is asked for.
    fn tries_again(&self) -> bool {
        false
    }

    fn names(&self) -> &'static [&'static str] {
        &["item", "index"]
    }

    fn calls(&self) -> Vec<&str> {
        self.shape.process.literal().into_iter().collect()
    }
}

impl Each {
    fn begin(&self, view: &EvalContext) -> Result<Decision, Fault> {
        let (fan_out, said) = match &view.task.fan_out {
            // A chunk, which has its fan-out from birth.
            Some(fan_out) => (FanOut::clone(fan_out), None),
            None => {
                let fan_out = self.fan_out(view)?;
                let of = format!(
                    "{} calls of {}",
                    fan_out.of,
                    self.shape.process.literal().unwrap_or("processes")
                );
                (fan_out, Some(of))
            }
        };
        self.go_on(fan_out, said, view)
    }

    /// A fan-out for the whole list.
    fn fan_out(&self, view: &EvalContext) -> Result<FanOut, Fault> {
        let (items, marks) = self.shape.items.read_marked(view)?;
        let of = items.count();
        let (held, print) = match of <= CALLS_MAX {
            true => (Some(PendingCalls::new(self.calls_of(&items, &marks, 0..of, view))), None),
            false => (None, Some(items.print())),
        };
        Ok(FanOut { of, held, print, ..FanOut::default() })
    }

    /// The calls for the items at those places.
    fn calls_of(
        &self,
        items: &Items,
        marks: &Marks,
        which: Range<u64>,
        view: &EvalContext,
    ) -> Vec<ChunkCall> {
        let all = which.filter_map(|index| Some((index, items.get(index)?)));
        let seen = |(index, item): (u64, Cow<'_, Value>)| {
            let marks = marks.at(&format!("/{index}"));
            let call = self.call(&view.with_item(index, item.into_owned(), marks), index);
            call.map_err(|fault| view.hushed(fault))
        };
        all.map(seen).collect()
    }

    fn call(&self, view: &EvalContext, index: u64) -> ChunkCall {
        let task = &view.task;
        let reference = match &self.shape.r#ref {
            Some(text) => name(text, view)?,
            None => format!("each-{}-{}-{}-{index}", task.id, task.visit, task.attempt),
        };
        let to = address(&name(&self.shape.process, view)?, &reference)?;
        Ok(Calling { to, params: fill(&self.shape.params, view)? })
    }

    /// Hands out as much as may run at once, or ends the fan-out.
    fn go_on(
        &self,
        mut fan_out: FanOut,
        said: Option<String>,
        view: &EvalContext,
    ) -> Result<Decision, Fault> {
        let mut signals = Vec::new();
        self.look_ahead(&fan_out, view);
        match fan_out.of <= CALLS_MAX {
            true => {
                while fan_out.given < fan_out.of && (fan_out.out.len() as u64) < self.shape.parallel {
                    self.hand_out(&mut fan_out, &mut signals, view)?;
                }
            }
            false if fan_out.out.is_empty() && fan_out.given < fan_out.of => {
                signals.push(self.chunk(&mut fan_out, view)?);
            }
            false => {}
        }
        if fan_out.is_over() {
            return self.end(&fan_out, view);
        }
        Ok(Decision::Run { fan_out: Box::new(fan_out), signals, said })
    }

    /// Looks whether the tasks that are to be made in this step are there, so that they are fetched together:
    /// each reply that is still unread makes room for one more call.
    fn look_ahead(&self, fan_out: &FanOut, view: &EvalContext) {
        if fan_out.of > CALLS_MAX {
            return;
        }
        let free =
            usize::try_from(self.shape.parallel).unwrap_or(usize::MAX).saturating_sub(fan_out.out.len());
        let calls = fan_out.held.iter().flat_map(|held| held.next(free + view.unread));
        for call in calls.flatten() {
            // What is found is read when it is their turn.
            drop(view.scope.other(&call.to));
        }
    }

    /// Makes the next call.
    fn hand_out(
        &self,
        fan_out: &mut FanOut,
        signals: &mut Vec<Signal>,
        view: &EvalContext,
    ) -> Result<(), Fault> {
        let index = fan_out.first + fan_out.given;
        fan_out.given += 1;
        let call = fan_out.held.as_mut().and_then(|held| held.take(1).pop());
        let call = call.unwrap_or_else(|| Err(Fault::lasting("items_changed", "the item is gone")));
        let call = call.and_then(|Calling { to, params }| {
            let born = signals.iter().filter(|signal| is_in(signal, &to.process)).count();
            free_beside(&to, u64::try_from(born).unwrap_or(u64::MAX), view)?;
            let to = SignalTarget::Address(to);
            if signals.iter().any(|signal: &Signal| signal.to == to) {
                let message = "two items have the same ref; hint: put `{{index}}` into `ref`";
                return Err(Fault::lasting("ref_taken", message));
            }
            Ok((to, params))
        });
        match call {
            Ok((to, params)) => {
                let until = Some(view.now + self.shape.timeout.unwrap_or(TIMEOUT_DEFAULT));
                fan_out.out.push(HandedOut { index, until });
                let caller = Some(caller(index, view));
                signals
                    .push(Signal { to, kind: SignalKind::Create { params, caller, at: None, birth: None } });
                Ok(())
            }
            Err(fault) => self.count(fan_out, index, Err(fault)),
        }
    }

    /// The next chunk of a long list.
    fn chunk(&self, fan_out: &mut FanOut, view: &EvalContext) -> Result<Signal, Fault> {
        let width = (fan_out.of.div_ceil(CHUNKS)).max(CALLS_MAX);
        let index = fan_out.first + fan_out.given;
        let count = width.min(fan_out.of - fan_out.given);
        let calls = match &mut fan_out.held {
            Some(held) => held.take(usize::try_from(count).unwrap_or(usize::MAX)),
            None => {
                let (items, marks) = self.shape.items.read_marked(view)?;
                if fan_out.print.as_ref() != Some(&items.print()) {
                    let message = "the list was changed while its items were run; \
                                   hint: keep it under another name";
                    return Err(Fault::lasting("items_changed", message));
                }
                self.calls_of(&items, &marks, index..index + count, view)
            }
        };
        fan_out.given += count;
        fan_out.out.push(HandedOut { index, until: None });
        let held = Some(PendingCalls::new(calls));
        let chunk = FanOut { chunk: true, first: index, of: count, held, ..FanOut::default() };
        let (caller, at) = (caller(index, view), view.task.at.clone());
        let kind = SignalKind::Chunk { caller, at, fan_out: chunk.into(), birth: None };
        Ok(Signal { to: SignalTarget::Address(view.task.chunk(index)), kind })
    }

    /// What came back of a call, or of a chunk.
    fn take(&self, index: u64, answer: Result<Params, Fault>, view: &EvalContext) -> Result<Decision, Fault> {
        let Some(mut fan_out) = view.task.fan_out.as_deref().cloned() else { return Ok(Decision::Stay) };
        if !fan_out.take_back(index) {
            return Ok(Decision::Stay);
        }
        match fan_out.of <= CALLS_MAX {
            true => self.count(&mut fan_out, index, answer)?,
            false => self.add(&mut fan_out, index, &answer?),
        }
        self.go_on(fan_out, None, view)
    }

    /// Counts a call that came to its end.
    fn count(&self, fan_out: &mut FanOut, index: u64, answer: Result<Params, Fault>) -> Result<(), Fault> {
        let reply = match (answer, self.shape.failures) {
            (Ok(reply), _) => reply,
            (Err(fault), Failures::First) => {
                return Err(Fault { message: format!("item {index}: {}", fault.message), ..fault });
            }
            (Err(fault), Failures::All) => {
                fan_out.failed += 1;
                let Fault { code, class, message, .. } = fault;
                let fault = json!({"code": code, "class": class.as_str(), "message": message});
                [("fault".to_owned(), fault)].into_iter().collect()
            }
        };
        fan_out.done += 1;
        if self.keeps {
            fan_out.keep(index, reply);
        }
        Ok(())
    }

    /// Adds what a chunk brought.
    fn add(&self, fan_out: &mut FanOut, index: u64, chunk: &Params) {
        let number = |name: &str| chunk.get(name).and_then(Value::as_u64).unwrap_or_default();
        fan_out.done += number("done");
        fan_out.failed += number("failed");
        if self.keeps {
            let replies = chunk.get("replies").and_then(Value::as_array).into_iter().flatten();
            for (place, (reply, at)) in replies.filter_map(Value::as_object).zip(index..).enumerate() {
                let mut reply = Params::from(reply.clone());
                reply.mark(&chunk.marks().at(&format!("/replies/{place}")));
                fan_out.keep(at, reply);
            }
        }
    }

    /// Calls whose replies are late have failed.
    fn give_up_late(&self, view: &EvalContext) -> Result<Decision, Fault> {
        let Some(mut fan_out) = view.task.fan_out.as_deref().cloned() else { return Ok(Decision::Stay) };
        let is_late = |out: &HandedOut| out.until.is_some_and(|until| until <= view.now);
        let late: Vec<HandedOut> = fan_out.out.iter().copied().filter(is_late).collect();
        fan_out.out.retain(|out| !is_late(out));
        for HandedOut { index, .. } in late {
            let timeout = self.shape.timeout.unwrap_or(TIMEOUT_DEFAULT);
            let process = self.shape.process.literal().unwrap_or("it called");
            let message = format!("process `{process}` did not reply within {timeout}");
            self.count(&mut fan_out, index, Err(Fault::unsure("call_timeout", message)))?;
        }
        self.go_on(fan_out, None, view)
    }

    fn end(&self, fan_out: &FanOut, view: &EvalContext) -> Result<Decision, Fault> {
        let replies: Vec<Value> =
            fan_out.replies.iter().flatten().map(|reply| Value::Object(reply.map().clone())).collect();
        let mut marks = Marks::default();
        for (place, reply) in fan_out.replies.iter().flatten().enumerate() {
            marks.add(&reply.marks().below(&format!("/{place}")));
        }
        if fan_out.chunk {
            let told = [
                ("done", Value::from(fan_out.done)),
                ("failed", Value::from(fan_out.failed)),
                ("replies", Value::Array(replies)),
            ];
            let mut told: Params = told.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
            told.mark(&marks.below("/replies"));
            return Ok(Decision::Chunk(told));
        }
        let mut response = json!({"count": fan_out.done, "failed": fan_out.failed});
        if self.keeps {
            response["body"] = Value::Array(replies);
        }
        let set = fill(&self.shape.save, &view.with_reply(response, marks.below("/body")))?;
        Ok(Decision::go_with(&self.shape.next, set))
    }
}

fn is_in(signal: &Signal, process: &ProcessId) -> bool {
    matches!(&signal.to, SignalTarget::Address(to) if to.process == *process)
}

fn caller(index: u64, view: &EvalContext) -> ReplyTo {
    let task = &view.task;
    let ticket = Some(Ticket { attempt: task.attempt, index });
    ReplyTo { task: task.id, visit: task.visit, ticket }
}
