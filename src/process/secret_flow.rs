//! [`Reached`]: every place that a secret can reach, through all processes together. It is worked out from
//! what is written, and may say more than ever happens, never less: but for what a server says back of what
//! it was told, which nobody can know before it does.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::names::ProcessId;
use crate::model::tree::Spot;
use crate::process::flow::{Callee, Sink, ValueFlow};
use crate::process::hook::{HookAnswer, HookProof};
use crate::process::problem::FileProblem;
use crate::process::process::Process;

/// A place that a secret can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The secret: `process.param`, or `secret.NAME`.
    pub secret: String,
    /// The process whose node brings it there.
    pub process: String,
    /// The node; empty for a hook.
    pub node: String,
    /// The place.
    pub sink: Sink,
    /// Where the text stands.
    pub spot: Spot,
    /// What is wrong with that.
    pub trouble: Option<ReachProblem>,
}

/// What is wrong with a place that a secret reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachProblem {
    /// The param is not declared secret.
    Undeclared,
    /// Everyone sees the name of a task: the node takes a fault when it comes to that.
    Named,
    /// Anybody may ask the hook: it answers with a fault when it comes to that.
    Public,
}

impl ReachProblem {
    /// Whether it must be mended before the process can do what it is for.
    pub fn is_hard(self) -> bool {
        matches!(self, ReachProblem::Public)
    }
}

impl Reached {
    /// What is wrong, for a person.
    pub fn message(&self) -> String {
        let Reached { secret, sink, .. } = self;
        match self.trouble {
            Some(ReachProblem::Public) => {
                format!("the secret `{secret}` reaches the {sink}, which is public")
            }
            Some(ReachProblem::Named) => format!("the secret `{secret}` becomes part of the {sink}"),
            Some(ReachProblem::Undeclared) => {
                format!("the secret `{secret}` reaches {sink}, which is not declared secret")
            }
            None => format!("the secret `{secret}` reaches {sink}"),
        }
    }

    /// What would help.
    pub fn hint(&self) -> Option<String> {
        Some(match (self.trouble?, &self.sink) {
            (ReachProblem::Undeclared, Sink::Given(_, name) | Sink::Param(name)) => {
                format!("declare it: `{name}: {{secret: true}}`; it is masked in any case")
            }
            (ReachProblem::Undeclared, _) => {
                "declare the params it replies as secret; they are masked in any case".to_owned()
            }
            (ReachProblem::Named, _) => "name it after something that everyone may see".to_owned(),
            (ReachProblem::Public, _) => "let the hook check who asks, or reply something else".to_owned(),
        })
    }
}

/// The secrets that can be in a value.
type Secrets = BTreeSet<String>;

/// By process, and by param or by name of a value.
type Held = BTreeMap<(String, String), Secrets>;

/// What is known so far.
struct Known<'a> {
    processes: BTreeMap<&'a str, &'a Process>,
    /// By process and param.
    params: Held,
    /// By process and name of the value.
    replies: Held,
}

/// Every place that each secret of `processes` can reach, in the order of the processes and their texts.
pub fn follow(processes: &[&Process]) -> Vec<Reached> {
    let by_id = processes.iter().map(|it| (it.id.as_str(), *it)).collect();
    let mut known = Known { processes: by_id, params: BTreeMap::new(), replies: BTreeMap::new() };
    for process in processes {
        for name in process.secret.iter() {
            let secret = [format!("{}.{name}", process.id)].into();
            known.params.insert((process.id.to_string(), name.clone()), secret);
        }
    }
    let flows = || processes.iter().flat_map(|it| it.flows.iter().map(move |flow| (*it, flow)));
    // Sets only grow, and there are only so many: it comes to an end.
    while flows().fold(false, |grew, (process, flow)| known.spread(process, flow) || grew) {}
    let mut all = Vec::new();
    for process in processes {
        for flow in &process.flows {
            known.reached(process, flow, &mut all);
        }
        known.answered(process, &mut all);
    }
    all
}

/// What is wrong in the text of that process: what must be mended, and what should be.
pub fn troubles(all: &[Reached], process: &ProcessId) -> (Vec<FileProblem>, Vec<FileProblem>) {
    let own = all.iter().filter(|it| it.process == process.as_str());
    let troubled = own.filter_map(|it| Some((it.trouble?, it)));
    let (hard, soft): (Vec<_>, Vec<_>) = troubled.partition(|(trouble, _)| trouble.is_hard());
    let problem =
        |(_, it): (ReachProblem, &Reached)| FileProblem::new(it.spot, it.message()).hint_if(it.hint());
    (hard.into_iter().map(problem).collect(), soft.into_iter().map(problem).collect())
}

impl Known<'_> {
    /// The secrets in what a flow reads.
    fn read(&self, process: &Process, flow: &ValueFlow) -> Secrets {
        let own = process.id.as_str();
        let mut found: Secrets = flow.reads.secrets.iter().map(|it| format!("secret.{it}")).collect();
        for root in &flow.reads.roots {
            match root.as_str() {
                "params" => found.extend(held(&self.params, own, None, |_| true)),
                name => found.extend(held(&self.params, own, Some(name), |_| true)),
            }
        }
        for (other, name) in &flow.reads.others {
            for other in self.called(other) {
                let closed = |name: &str| other.id != process.id && other.hidden.contains(name);
                found.extend(held(&self.params, other.id.as_str(), name.as_deref(), |it| !closed(it)));
            }
        }
        if let Some(callee) = &flow.replies_of {
            for other in self.called(callee) {
                let mut replies = |name| found.extend(held(&self.replies, other.id.as_str(), name, |_| true));
                match &flow.into {
                    Sink::Taken(_) => replies(None),
                    // A list of replies is read by place; which of their values, nobody knows.
                    _ => flow.reads.fields.iter().for_each(|field| match field.as_deref() {
                        Some(name) if name.parse::<u64>().is_err() => replies(Some(name)),
                        Some(_) | None => replies(None),
                    }),
                }
            }
        }
        found
    }

    /// The processes that a node may mean.
    fn called(&self, callee: &Callee) -> Vec<&Process> {
        match callee {
            Some(id) => self.processes.get(id.as_str()).copied().into_iter().collect(),
            None => self.processes.values().copied().collect(),
        }
    }

    /// Whether the flow brings a secret to where it was not.
    fn spread(&mut self, process: &Process, flow: &ValueFlow) -> bool {
        let mut grew = false;
        match &flow.into {
            Sink::Param(name) => {
                let found = self.read(process, flow);
                grew |= grow(&mut self.params, pair(process, name), found);
            }
            Sink::Given(callee, name) => {
                let found = self.read(process, flow);
                let keys: Vec<_> = self.called(callee).into_iter().map(|it| pair(it, name)).collect();
                for key in keys {
                    grew |= grow(&mut self.params, key, found.clone());
                }
            }
            Sink::Reply(name) => {
                let found = self.read(process, flow);
                grew |= grow(&mut self.replies, pair(process, name), found);
            }
            Sink::Taken(callee) => {
                let ids: Vec<String> = self.called(callee).into_iter().map(|it| it.id.to_string()).collect();
                let replies = self.replies.iter().filter(|((id, _), _)| ids.contains(id));
                let taken: Vec<_> =
                    replies.map(|((_, name), secrets)| (pair(process, name), secrets.clone())).collect();
                for (key, secrets) in taken {
                    grew |= grow(&mut self.params, key, secrets);
                }
            }
            Sink::Result
            | Sink::Url
            | Sink::Query
            | Sink::Header(_)
            | Sink::Body
            | Sink::Auth
            | Sink::Message
            | Sink::Link
            | Sink::Name
            | Sink::Hook(_) => {}
        }
        grew
    }

    /// Where the flow brings secrets, at the end.
    fn reached(&self, process: &Process, flow: &ValueFlow, all: &mut Vec<Reached>) {
        let trouble = match &flow.into {
            Sink::Param(name) => (!process.secret.contains(name)).then_some(ReachProblem::Undeclared),
            Sink::Given(callee, name) => {
                let open = self.called(callee).into_iter().any(|it| !it.secret.contains(name));
                open.then_some(ReachProblem::Undeclared)
            }
            Sink::Taken(_) => {
                let mut names = self.params.keys().filter(|(id, _)| id == process.id.as_str());
                let open = names.any(|(_, name)| !process.secret.contains(name));
                open.then_some(ReachProblem::Undeclared)
            }
            Sink::Name => Some(ReachProblem::Named),
            _ => None,
        };
        for secret in self.read(process, flow) {
            let reach = Reached {
                secret,
                process: process.id.to_string(),
                node: flow.node.clone(),
                sink: flow.into.clone(),
                spot: flow.spot,
                trouble,
            };
            if !all.contains(&reach) {
                all.push(reach);
            }
        }
    }

    /// What the hooks of a process answer.
    fn answered(&self, process: &Process, all: &mut Vec<Reached>) {
        let spots = process.flows.iter().filter(|it| matches!(it.into, Sink::Reply(_)));
        let Some(spot) = spots.map(|it| it.spot).next() else { return };
        let secrets = held(&self.replies, process.id.as_str(), None, |_| true);
        for hook in process.hooks.iter().filter(|it| matches!(it.answer, HookAnswer::Reply)) {
            let trouble = matches!(hook.check, HookProof::Public).then_some(ReachProblem::Public);
            let sink = Sink::Hook(hook.name.clone());
            all.extend(secrets.iter().map(|secret| Reached {
                secret: secret.clone(),
                process: process.id.to_string(),
                node: String::new(),
                sink: sink.clone(),
                spot,
                trouble,
            }));
        }
    }
}

fn pair(process: &Process, name: &str) -> (String, String) {
    (process.id.to_string(), name.to_owned())
}

/// The secrets in what a process holds under that name, or under any that is `open`.
fn held(all: &Held, process: &str, name: Option<&str>, open: impl Fn(&str) -> bool) -> Secrets {
    let from = (process.to_owned(), name.unwrap_or_default().to_owned());
    let of =
        all.range(from..).take_while(|((id, it), _)| id == process && name.is_none_or(|name| name == it));
    of.filter(|((_, it), _)| open(it)).flat_map(|(_, secrets)| secrets.iter().cloned()).collect()
}

fn grow(to: &mut Held, key: (String, String), found: Secrets) -> bool {
    if found.is_empty() {
        return false;
    }
    let known = to.entry(key).or_default();
    let before = known.len();
    known.extend(found);
    known.len() > before
}
