//! [`ValueFlow`]: where what a node's texts read goes, as it is written. What is true of all processes
//! together is found where they are followed.

use std::fmt;

use crate::model::tree::Spot;
use crate::model::uses::Uses;

/// What one text of a node reads, and where that goes.
#[derive(Clone, Debug)]
pub struct ValueFlow {
    /// The node.
    pub node: String,
    /// What is read of which something can be in what it gives.
    pub reads: Uses,
    /// Whose replies `response` holds, if it is those of another process.
    pub replies_of: Option<Callee>,
    /// Where it goes.
    pub into: Sink,
    /// Where the text stands.
    pub spot: Spot,
}

/// A process that is named by a node: literally, or by a text that is filled later.
pub type Callee = Option<String>;

/// A place where a value goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sink {
    /// A param of the task.
    Param(String),
    /// A param of a task of another process.
    Given(Callee, String),
    /// All values of the replies of a process become params.
    Taken(Callee),
    /// A value of the reply.
    Reply(String),
    /// The result.
    Result,
    /// The URL of a request.
    Url,
    /// The query of one.
    Query,
    /// A header.
    Header(String),
    /// The body.
    Body,
    /// How it proves who asks.
    Auth,
    /// A message to a person that reveals it.
    Message,
    /// The link that moves a task on.
    Link,
    /// The name of a task or a process.
    Name,
    /// The answer of a hook.
    Hook(String),
}

/// As it is told.
impl fmt::Display for Sink {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sink::Param(name) => write!(to, "param {name}"),
            Sink::Given(Some(process), name) => write!(to, "param {name} of {process}"),
            Sink::Given(None, name) => write!(to, "param {name} of another process"),
            Sink::Taken(Some(process)) => write!(to, "params, as {process} replies them"),
            Sink::Taken(None) => to.write_str("params, as another process replies them"),
            Sink::Reply(name) => write!(to, "reply {name}"),
            Sink::Result => to.write_str("result"),
            Sink::Url => to.write_str("url"),
            Sink::Query => to.write_str("query"),
            Sink::Header(name) => write!(to, "header {name}"),
            Sink::Body => to.write_str("body"),
            Sink::Auth => to.write_str("auth"),
            Sink::Message => to.write_str("message"),
            Sink::Link => to.write_str("link"),
            Sink::Name => to.write_str("name of a task"),
            Sink::Hook(name) => write!(to, "answer of the hook {name}"),
        }
    }
}
