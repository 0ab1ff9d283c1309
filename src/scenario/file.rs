//! [`Scenario`]: what is to be rehearsed. A file of cases; in each a task is submitted into a scripted world,
//! things happen to it in virtual time, and what it should look like then is written between them.
//!
//! ```yaml
//! process: bitrix-oauth
//! submit: {ref: token, params: {portal: acme, client_id: local.1, client_secret: s, code: c1}}
//! world:
//!   - {node: exchange, answer: {json: {access_token: A0, refresh_token: R0, expires_in: 3600}}}
//!   - {node: renew, answer: {json: {access_token: "A{{n}}", refresh_token: "R{{n}}", expires_in: 3600}}}
//! cases:
//!   - case: the token is renewed every 25 minutes
//!     then:
//!       - expect: {node: nap, params: {access_token: A0, code: ""}}
//!       - after: 25m
//!       - expect: {node: nap, params: {access_token: A1}, asked: {renew: 1}, notified: []}
//! ```
//!
//! Everything in a scenario is made up, its secrets too.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::expr::Expr;
use crate::model::fault::Fault;
use crate::model::names::{Address, NodeName, Ref};
use crate::model::params::Params;
use crate::model::task::Phase;
use crate::model::time::{Span, Timestamp};
use crate::model::tree::Spot;
use crate::model::value::ValueTemplate;

/// A file of cases.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The process it is about: a file or a name, as written.
    pub process: Option<Spotted<String>>,
    /// Other processes that are called or written to: files or names.
    pub with: Vec<Spotted<String>>,
    /// The cases.
    pub cases: Vec<Case>,
}

/// Something and where it stood.
#[derive(Clone, Debug)]
pub struct Spotted<T> {
    /// Where.
    pub spot: Spot,
    /// What.
    pub it: T,
}

/// One task's story, from its submit on.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub title: String,
    /// Where it stood.
    pub spot: Spot,
    /// The moment it begins.
    pub start: Timestamp,
    /// `var.NAME`.
    pub vars: Map<String, Value>,
    /// `secret.NAME`.
    pub secrets: BTreeMap<String, String>,
    /// Live tasks of other processes, that are there from the beginning.
    pub others: BTreeMap<Address, Params>,
    /// The task it is about.
    pub submit: SubmitStep,
    /// What the world answers.
    pub world: Vec<ScriptedAnswer>,
    /// What happens, and what is expected.
    pub then: Vec<ScenarioStep>,
}

/// A task that is submitted.
#[derive(Clone, Debug)]
pub struct SubmitStep {
    /// Where it is written.
    pub spot: Spot,
    /// Its name.
    pub reference: Ref,
    /// Its params.
    pub params: Params,
}

/// One line of the world's script: what it is asked, and what it answers.
#[derive(Clone, Debug)]
pub struct ScriptedAnswer {
    /// Where it stood.
    pub spot: Spot,
    /// Which requests it is for.
    pub to: RequestMatch,
    /// What must be in them.
    pub parts: Vec<RequestPart>,
    /// For how many of them it is there; then the next line that fits.
    pub times: Option<u64>,
    /// One after the other; the last one again and again.
    pub answers: Vec<ScriptedReply>,
}

/// Which requests a line is for. Every field narrows.
#[derive(Clone, Debug, Default)]
pub struct RequestMatch {
    /// From that process; the scenario's own if none is named.
    pub process: Option<String>,
    /// From that node.
    pub node: Option<String>,
    /// By that method.
    pub method: Option<String>,
    /// To that URL without its query; `*` stands for anything.
    pub url: Option<String>,
    /// A message to that channel; `any` is all of them.
    pub tell: Option<String>,
}

/// Something that must be in a request, such as `form` → `code`.
#[derive(Clone, Debug)]
pub struct RequestPart {
    /// Which part: `form`, `json`, `query`, `headers`, `auth`, `text`, `url`.
    pub part: String,
    /// The name in it, if it is a map.
    pub name: Option<String>,
    /// What it must be.
    pub want: ExpectedValue,
}

/// What a value must be.
#[derive(Clone, Debug)]
pub struct ExpectedValue {
    /// Where it is written.
    pub spot: Spot,
    /// What.
    pub what: ValueCheck,
}

/// What a value must be.
#[derive(Clone, Debug)]
pub enum ValueCheck {
    /// Not there.
    Absent,
    /// Equal to that.
    Is(ValueTemplate),
    /// Such that this, which speaks of it as `it`, is true.
    Such(Expr),
}

/// What the world answers.
#[derive(Clone, Debug)]
pub struct ScriptedReply {
    /// How long it takes; a timeout takes the whole time.
    pub took: Option<Span>,
    /// What comes.
    pub come: Come,
}

/// What comes as an answer.
#[derive(Clone, Debug)]
pub enum Come {
    /// An answer to a request.
    Http {
        /// The status.
        status: u16,
        /// Headers, their names in lower case.
        headers: Map<String, Value>,
        /// The body; may have placeholders.
        body: ValueTemplate,
    },
    /// The message is delivered, by that channel or the first.
    Delivered {
        /// The channel.
        by: Option<String>,
    },
    /// Nothing but a fault.
    Fault(Fault),
}

/// Something that happens, and what is expected after it.
#[derive(Clone, Debug)]
pub struct ScenarioStep {
    /// Where it stood.
    pub spot: Spot,
    /// What happens.
    pub act: Act,
    /// The task it happens to; the one that was submitted if none is named.
    pub task: Option<Address>,
    /// What is expected then.
    pub expect: Option<Expect>,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Act {
    /// Nothing; it is only looked.
    Look,
    /// Time passes.
    After(Span),
    /// Time passes until then.
    Until(Timestamp),
    /// Another task is submitted.
    Submit(SubmitStep),
    /// A person lays these over the params.
    Modify(Params),
    /// A person wakes it.
    Wake,
    /// A person tries its failed node again.
    Retry,
    /// A person moves it.
    Move(NodeName),
    /// A person ends it.
    Cancel,
    /// Somebody follows its link and brings these.
    Hook(Map<String, Value>),
    /// The engine is killed and started again.
    Restart,
}

/// What is expected. Every field that is there is looked at.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// Its state.
    pub state: Option<Spotted<Phase>>,
    /// Where it stands.
    pub node: Option<Spotted<String>>,
    /// Its params; those not named may be anything.
    pub params: Vec<(String, ExpectedValue)>,
    /// What must be true of it.
    pub that: Vec<Spotted<Expr>>,
    /// What was asked since it was looked at last, by node.
    pub asked: Vec<ExpectedRequests>,
    /// What was told since it was looked at last.
    pub notified: Option<Spotted<Vec<Spotted<String>>>>,
    /// Its alarm.
    pub alarm: Option<Spotted<AlarmWord>>,
    /// The nodes it came to since it was looked at last; `...` stands for any.
    pub path: Option<Spotted<Vec<String>>>,
    /// What it ended with.
    pub result: Option<ExpectedValue>,
    /// The code of its last fault.
    pub fault: Option<ExpectedValue>,
    /// What must be in its link.
    pub link: Option<ExpectedValue>,
    /// How long until it is due.
    pub due: Option<Spotted<Span>>,
}

/// How often a node must have asked, and what the last time.
#[derive(Clone, Debug)]
pub struct ExpectedRequests {
    /// Where it is written.
    pub spot: Spot,
    /// The node.
    pub node: String,
    /// How often.
    pub times: Option<u64>,
    /// What was in the last request.
    pub parts: Vec<RequestPart>,
}

/// What an alarm can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlarmWord {
    /// There is one.
    Open,
    /// There is one, and a person was told.
    Notified,
    /// There is one, and nobody could be told.
    Undelivered,
    /// There is none.
    Closed,
}

impl AlarmWord {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            AlarmWord::Open => "open",
            AlarmWord::Notified => "notified",
            AlarmWord::Undelivered => "undelivered",
            AlarmWord::Closed => "closed",
        }
    }
}
