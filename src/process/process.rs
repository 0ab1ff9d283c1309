//! [`Process`]: named nodes and the ways between them, checked.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::kind::Kind;
use crate::model::names::{NodeName, ProcessId};
use crate::model::params::Params;
use crate::model::time::Span;
use crate::process::flow::ValueFlow;
use crate::process::hook::Hook;
use crate::process::problem::FileProblem;
use crate::process::schedule::Schedule;

/// A checked process.
#[derive(Debug)]
pub struct Process {
    /// What `conv[…]` names.
    pub id: ProcessId,
    /// The hash of its text: 16 hexadecimal digits.
    pub version: String,
    /// For people.
    pub title: String,
    /// One line, for people.
    pub about: String,
    /// What a task is submitted with, and what it keeps, in the order written.
    pub params: Vec<ParamSpec>,
    /// How much of anything.
    pub limits: Limits,
    /// The one `input` node.
    pub start: NodeName,
    /// The nodes, in the order written.
    pub nodes: Vec<Node>,
    /// The processes whose tasks may act in it, whoever deployed them.
    pub open_to: BTreeSet<ProcessId>,
    /// The ways in from outside, in the order written.
    pub hooks: Vec<Hook>,
    /// When it submits tasks by itself, in the order written.
    pub schedules: Vec<Schedule>,
    /// Those with an alarm.
    pub watched: BTreeSet<NodeName>,
    /// Names of the params that are secret.
    pub secret: Arc<BTreeSet<String>>,
    /// Names of the params that no other process may read: secret and not shared.
    pub hidden: Arc<BTreeSet<String>>,
    /// The secrets and variables its texts name.
    pub named: Named,
    /// Where what its texts read goes.
    pub flows: Vec<ValueFlow>,
    /// What is written in it and was most likely not meant.
    pub warnings: Vec<FileProblem>,
    /// The template it was cloned from, and that template's version.
    pub origin: Option<TemplateOrigin>,
}

/// What a process names beside its params.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// `secret.NAME`.
    pub secrets: BTreeSet<String>,
    /// `var.NAME`.
    pub vars: BTreeSet<String>,
}

/// A node of a process.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// The name of its kind.
    pub kind_name: &'static str,
    /// For people; the name if none is given.
    pub title: String,
    /// For people.
    pub about: String,
    /// What it does.
    pub kind: Box<dyn Kind>,
    /// Where a task goes whose fault was not mended by trying again.
    pub on_error: Option<NodeName>,
    /// How passing faults are tried again.
    pub retry: RetryPolicy,
    /// Where a task goes that stands here too long.
    pub limit: Option<TimeLimit>,
    /// How many tasks are too many here.
    pub alarm: Option<Backlog>,
}

impl Process {
    /// The hook of that name.
    pub fn hook(&self, name: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.name == name)
    }

    /// The params a task has if it is given no others.
    pub fn defaults(&self) -> Params {
        let all = self.params.iter();
        all.filter_map(|it| Some((it.name.clone(), it.default.clone()?))).collect()
    }

    /// The node of that name. Processes are small: a look through the list is as fast as a map.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == *name)
    }
}

/// What the file says of one param.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the file, and says one thing")]
pub struct ParamSpec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ParamKind,
    /// A submit without it is refused.
    pub required: bool,
    /// Masked wherever it is shown, sealed wherever it is kept.
    pub secret: bool,
    /// Secret, but other processes may read it.
    pub shared: bool,
    /// Asked for at submit; otherwise the process writes it itself.
    pub input: bool,
    /// The process writes it, but a person may put it in by `modify`, wherever the task stands.
    pub modify: bool,
    /// What it is if it is not given.
    pub default: Option<Value>,
    /// For people.
    pub about: String,
    /// For people.
    pub example: Option<Value>,
    /// That its value expires, and when.
    pub expiry: Option<ExpirySpec>,
}

/// Where the expiry of a param's value stands: in other params of the same task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpirySpec {
    /// The param with the moment at which it expires, in Unix seconds.
    pub at: String,
    /// The param with the moment at which it was issued, in Unix seconds.
    pub issued: Option<String>,
    /// How long before its end a person must be woken at the latest.
    pub warn: Span,
    /// The param with that moment, in Unix seconds, if it is not simply so long before the end.
    pub warn_at: Option<String>,
}

/// How long before its end a person is woken if the file does not say.
pub const WARN_DEFAULT: Span = Span::mins(10);

/// The type of a param.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParamKind {
    /// A text.
    String,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A map.
    Object,
    /// A list.
    Array,
    /// Anything.
    #[default]
    Any,
}

/// How much of anything a process may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Live tasks.
    pub tasks: u64,
    /// The params of one task, in bytes of JSON.
    pub params_bytes: usize,
}

/// As many live tasks as one machine keeps with ease.
pub const TASKS_MAX_DEFAULT: u64 = 1_000_000;
/// The params of one task: 256 KiB.
pub const PARAMS_BYTES_MAX: usize = 256 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Limits { tasks: TASKS_MAX_DEFAULT, params_bytes: PARAMS_BYTES_MAX }
    }
}

/// How passing faults are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// How often it is tried in all; 1 is never again.
    pub times: u32,
    /// The first pause.
    pub first: Span,
    /// What each pause is multiplied by for the next.
    pub factor: f64,
    /// The longest pause.
    pub max: Span,
    /// How much of each pause is left to chance, from 0 to 1.
    pub jitter: f64,
    /// No try begins later than this after the task came to the node.
    pub within: Option<Span>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let (first, max) = (Span::secs(1), Span::mins(5));
        RetryPolicy { times: 3, first, factor: 2.0, max, jitter: 0.2, within: None }
    }
}

impl RetryPolicy {
    /// What holds where the file says nothing.
    pub fn unsaid(kind: &dyn Kind) -> RetryPolicy {
        let times = if kind.tries_again() { RetryPolicy::default().times } else { 1 };
        RetryPolicy { times, ..RetryPolicy::default() }
    }
}

/// How long a task may stand on a node, and where it goes then.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeLimit {
    /// How long.
    pub time: Span,
    /// Where to.
    pub next: NodeName,
}

/// How many tasks on a node are told of, and where. One task is born at `next` when so many stand on the
/// node, and one when they no longer do. Its param `alarm` is `{node, on, count, limit}`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backlog {
    /// When so many stand there.
    pub count: u64,
    /// It is over when no more than so many do; one less than `count` if not given.
    pub clear: Option<u64>,
    /// Where the task that tells of it begins.
    pub next: NodeName,
}

impl Backlog {
    /// How many may stand there when it is over.
    pub fn clear(&self) -> u64 {
        self.clear.unwrap_or(self.count.saturating_sub(1))
    }
}

/// The template a process was cloned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateOrigin {
    /// Its name.
    pub template: String,
    /// The hash of its text.
    pub version: String,
}
