//! [`ReadSet`]: what was fetched before a decision. [`EvalContext`]: all that a node can see when it decides.
//!
//! Which other tasks a node reads is found by looking: a look at a task that was not fetched is noted in
//! [`ReadSet::missed`], the runner fetches those and asks again. Deciding stays pure.
//!
//! What the same walk has written is seen as if it were committed and read: a task it gave birth to is there,
//! one that it modified has the new params, and the task itself is as it stands now.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use crate::model::bounds::Bounds;
use crate::model::budget::Budget;
use crate::model::fault::Fault;
use crate::model::forms::{forms_of, without};
use crate::model::key;
use crate::model::marks::{MASK, Marks, place_of, veiled_value};
use crate::model::names::{Address, ProcessId};
use crate::model::params::Params;
use crate::model::reach::Reach;
use crate::model::steps::Steps;
use crate::model::taint::Taint;
use crate::model::task::Task;
use crate::model::time::Timestamp;

/// The names a template sees beside the params. A param called so is a problem.
pub const RESERVED: [&str; 8] = ["params", "task", "fault", "response", "var", "secret", "now", "conv"];

/// What was fetched for a decision. Clones share what they hold.
#[derive(Clone, Debug, Default)]
pub struct ReadSet {
    /// The process that looks: its own secrets are open to it.
    pub reader: Option<ProcessId>,
    /// The process is paused: no task comes to a node, and none is asked for.
    pub paused: bool,
    /// `var.NAME`.
    pub vars: Arc<Map<String, Value>>,
    /// The names of the secrets there are; their values only the world knows.
    pub secrets: Arc<BTreeSet<String>>,
    /// What links are made of: `https://host`, without a slash at the end.
    pub public_url: Arc<str>,
    /// The other tasks that were fetched.
    pub others: Arc<HashMap<Address, Other>>,
    /// What became known when the same step was decided before.
    pub bounds: Arc<Bounds>,
    /// The params of the tasks that the walk has written to, as they will be; kept by the walk.
    pub written: Arc<HashMap<Address, Params>>,
    /// The task that looks, as it stands; set by [`EvalContext::new`].
    own: Option<Arc<Task>>,
    /// How the wall clock was set.
    pub steps: Arc<Steps>,
    /// What one evaluation may cost.
    pub budget: Budget,
    /// Notes that something secret was read; one for every view.
    pub taint: Taint,
    /// Where its tasks may act.
    pub reach: Reach,
    missed: Arc<Mutex<BTreeSet<Address>>>,
}

/// What is known of another task.
#[derive(Clone, Debug)]
pub enum Other {
    /// No process has that id.
    NoProcess,
    /// The process has no live task of that name; one that were born there would be so.
    NoTask(Newborn),
    /// There it is.
    Live {
        /// Its params, whole and committed.
        params: Params,
        /// Which of them no other process may read.
        hidden: Arc<BTreeSet<String>>,
        /// Which of them are secret by declaration.
        secret: Arc<BTreeSet<String>>,
    },
}

impl Other {
    /// The names that are secret by declaration in its process.
    pub fn secret(&self) -> Option<&BTreeSet<String>> {
        match self {
            Other::Live { secret, .. } | Other::NoTask(Newborn { secret, .. }) => Some(secret),
            Other::NoProcess => None,
        }
    }
}

/// What a task of a process is at its birth.
#[derive(Clone, Debug, Default)]
pub struct Newborn {
    /// The params it has if it is given no others.
    pub defaults: Params,
    /// Which of its params no other process may read.
    pub hidden: Arc<BTreeSet<String>>,
    /// Which of its params are secret by declaration.
    pub secret: Arc<BTreeSet<String>>,
}

/// What a look at another task finds.
#[derive(Clone, Copy, Debug)]
pub enum Located<'a> {
    /// No process has that id.
    NoProcess,
    /// The process has no live task of that name.
    NoTask(&'a Newborn),
    /// There it is.
    Live {
        /// Its params.
        params: &'a Params,
        /// Which of them no other process may read.
        hidden: &'a BTreeSet<String>,
    },
}

/// What a task may read of itself: all.
static NOTHING: BTreeSet<String> = BTreeSet::new();

impl ReadSet {
    /// The same, for `reader`, with `others` known and nothing missed yet.
    #[must_use]
    pub fn with(&self, reader: &ProcessId, paused: bool, others: Arc<HashMap<Address, Other>>) -> ReadSet {
        let missed = Arc::default();
        ReadSet { reader: Some(reader.clone()), paused, others, missed, ..self.clone() }
    }

    /// The same, to decide within `bounds`.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> ReadSet {
        ReadSet { bounds: Arc::new(bounds), ..self }
    }

    /// The same, to act within `reach`.
    #[must_use]
    pub fn reaching(self, reach: Reach) -> ReadSet {
        ReadSet { reach, ..self }
    }

    /// What is known of the task at `address`.
    ///
    /// # Errors
    /// `not_fetched`, noted in [`ReadSet::missed`], while nothing is: the decision made of it is never used.
    pub fn other(&self, address: &Address) -> Result<Located<'_>, Fault> {
        if let Some(own) = self.own.as_deref().filter(|own| own.is_at(address)) {
            return Ok(Located::Live { params: &own.params, hidden: &NOTHING });
        }
        match (self.others.get(address), self.written.get(address)) {
            (Some(Other::NoTask(Newborn { hidden, .. }) | Other::Live { hidden, .. }), Some(params)) => {
                Ok(Located::Live { params, hidden })
            }
            (Some(Other::NoTask(newborn)), None) => Ok(Located::NoTask(newborn)),
            (Some(Other::NoProcess), _) => Ok(Located::NoProcess),
            (Some(Other::Live { params, hidden, .. }), None) => Ok(Located::Live { params, hidden }),
            (None, _) => {
                self.lock().insert(address.clone());
                Err(Fault::lasting("not_fetched", format!("`{address}` is not fetched yet")))
            }
        }
    }

    /// How many tasks of `process` the walk gave birth to.
    pub fn born(&self, process: &ProcessId) -> u64 {
        let is_born = |address: &&Address| matches!(self.others.get(*address), Some(Other::NoTask(_)));
        let born = self.written.keys().filter(|it| it.process == *process).filter(is_born);
        u64::try_from(born.count()).unwrap_or(u64::MAX)
    }

    /// The value at `path` of the live task at `address`.
    ///
    /// # Errors
    /// `process_not_found`, `ref_not_found`, `not_shared`, `missing_param`.
    pub fn read(&self, address: &Address, path: &[&str]) -> Result<Value, Fault> {
        let (params, hidden) = match self.other(address)? {
            Located::NoProcess => return Err(no_process(&address.process)),
            Located::NoTask(_) => return Err(no_task(address)),
            Located::Live { params, hidden } => (params, hidden),
        };
        let closed = |name: &str| hidden.contains(name) && self.reader.as_ref() != Some(&address.process);
        let Some((first, rest)) = path.split_first() else {
            let open = params.map().iter().filter(|(name, _)| !closed(name));
            let all: Value = open.map(|(name, value)| (name.clone(), value.clone())).collect();
            if !params.marks().is_empty() {
                self.taint.note(params.marks().of(&all));
            }
            return Ok(all);
        };
        if closed(first) {
            let message =
                format!("param `{first}` of `{address}` is secret; hint: its process can say `shared: true`");
            return Err(Fault::lasting("not_shared", message));
        }
        let missing =
            || Fault::lasting("missing_param", format!("`{address}` has no param `{}`", path.join(".")));
        let value = params.get(first).ok_or_else(missing)?;
        let value = dig(value, rest).cloned().ok_or_else(missing)?;
        if !params.marks().is_empty() {
            let marks = params.marks().at(&place_of(path));
            if !marks.is_empty() {
                self.taint.note(marks.of(&value));
            }
        }
        Ok(value)
    }

    /// What is marked in what [`ReadSet::read`] gives.
    pub fn marks<K: AsRef<str>>(&self, address: &Address, path: &[K]) -> Marks {
        match self.other(address) {
            Ok(Located::Live { params, .. }) => params.marks().at(&place_of(path)),
            Ok(Located::NoProcess | Located::NoTask(_)) | Err(_) => Marks::default(),
        }
    }

    /// The same, with nothing secret in what other tasks hold.
    fn veiled(&self) -> ReadSet {
        let veil = |other: &Other| match other {
            Other::Live { params, hidden, secret } => Other::Live {
                params: veiled(params, &[]),
                hidden: Arc::clone(hidden),
                secret: Arc::clone(secret),
            },
            Other::NoProcess | Other::NoTask(_) => other.clone(),
        };
        let others = self.others.iter().map(|(address, other)| (address.clone(), veil(other))).collect();
        let written = self.written.iter().map(|(address, it)| (address.clone(), veiled(it, &[]))).collect();
        ReadSet { others: Arc::new(others), written: Arc::new(written), ..self.clone() }
    }

    /// The tasks that were looked at and not fetched; forgotten by this call.
    pub fn missing_reads(&self) -> BTreeSet<Address> {
        std::mem::take(&mut *self.lock())
    }

    /// Whether there are such tasks: what was decided since then is not used.
    pub fn misses(&self) -> bool {
        !self.lock().is_empty()
    }

    /// A set of names is never half written, whoever panicked over it.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<Address>> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fault of a process that is not there.
pub fn no_process(id: &ProcessId) -> Fault {
    Fault::lasting("process_not_found", format!("there is no process `{id}`"))
}

/// The fault of a task that is not there.
pub fn no_task(address: &Address) -> Fault {
    let message = format!("process `{}` has no live task `{}`", address.process, address.reference);
    Fault::lasting("ref_not_found", message)
}

/// The value at `path` below `value`; a number is an index into a list.
pub fn dig<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        Value::Object(map) => map.get(*part),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// `params` with what is secret masked, but for those named in `but`. Nothing of it is marked.
fn veiled(params: &Params, but: &[String]) -> Params {
    if params.marks().is_empty() {
        return params.clone();
    }
    let veil = |(name, value): (&String, &Value)| match but.contains(name) {
        true => (name.clone(), value.clone()),
        false => (name.clone(), veiled_value(value, &params.marks().at(&place_of(&[name])))),
    };
    params.map().iter().map(veil).collect()
}

/// All that a node can see when it decides. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EvalContext {
    /// The task, as it stands.
    pub task: Arc<Task>,
    /// What was fetched.
    pub scope: ReadSet,
    /// The moment of the decision.
    pub now: Timestamp,
    /// The answer that `save` and `ok` see: status, headers, body.
    pub response: Option<Arc<Value>>,
    /// What of the answer is secret: another task's reply may be.
    pub response_marks: Marks,
    /// The item of a list that the texts of an `each` are filled for.
    pub item: Option<Arc<ListItem>>,
    /// How many more signals are read in the same step.
    pub unread: usize,
    /// Whether `secret.NAME` may occur: only in what goes straight to the world.
    pub secrets: bool,
    /// The alarm that is being told of.
    pub telling: Option<Arc<AlarmContext>>,
}

/// What only the message of an alarm can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmContext {
    /// The key of the link that acknowledges it.
    pub key: String,
    /// The level of the levels, from 0.
    pub level: u32,
}

/// An item of a list: `item` and `index` in the texts of an `each`.
#[derive(Clone, Debug)]
pub struct ListItem {
    /// What it is.
    pub value: Value,
    /// Its place in the list, a number from 0.
    pub index: Value,
    /// What of it is secret.
    pub marks: Marks,
}

impl EvalContext {
    /// What a node sees of `task`.
    pub fn new(task: Task, scope: &ReadSet, now: Timestamp) -> EvalContext {
        let task = Arc::new(task);
        EvalContext {
            scope: ReadSet { own: Some(Arc::clone(&task)), taint: Taint::default(), ..scope.clone() },
            task,
            now,
            response: None,
            response_marks: Marks::default(),
            item: None,
            unread: 0,
            secrets: false,
            telling: None,
        }
    }

    /// The same, with the answer.
    #[must_use]
    pub fn with_response(&self, response: Value) -> EvalContext {
        self.with_reply(response, Marks::default())
    }

    /// The same, with an answer of which something is secret.
    #[must_use]
    pub fn with_reply(&self, response: Value, response_marks: Marks) -> EvalContext {
        EvalContext { response: Some(Arc::new(response)), response_marks, ..self.clone() }
    }

    /// The same, for one item of a list.
    #[must_use]
    pub fn with_item(&self, index: u64, value: Value, marks: Marks) -> EvalContext {
        let item = Some(Arc::new(ListItem { value, index: Value::from(index), marks }));
        EvalContext { item, ..self.clone() }
    }

    /// The same, with nothing secret in it but the task's params named in `reveal`.
    #[must_use]
    pub fn veiled(&self, reveal: &[String]) -> EvalContext {
        let task = Arc::new(Task { params: veiled(&self.task.params, reveal), ..Task::clone(&self.task) });
        let response = self.response.as_ref().map(|it| Arc::new(veiled_value(it, &self.response_marks)));
        let item = self.item.as_ref().map(|it| {
            let (value, index) = (veiled_value(&it.value, &it.marks), it.index.clone());
            Arc::new(ListItem { value, index, marks: Marks::default() })
        });
        let scope = ReadSet { own: Some(Arc::clone(&task)), taint: Taint::default(), ..self.scope.veiled() };
        EvalContext { task, scope, response, item, response_marks: Marks::default(), ..self.clone() }
    }

    /// What `fill` makes, for people: nothing secret but what `reveal` names; masked whole if it needs more.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn shown(
        &self,
        reveal: &[String],
        fill: impl Fn(&EvalContext) -> Result<String, Fault>,
    ) -> Result<String, Fault> {
        let (open, is_secret) = self.scope.taint.during(|| fill(self));
        let open = open?;
        match is_secret {
            false => Ok(open),
            true => Ok(fill(&self.veiled(reveal)).unwrap_or_else(|_| MASK.to_owned())),
        }
    }

    /// What of the value at `keys` below the top-level name `root` is secret.
    pub fn marks<K: AsRef<str>>(&self, root: &str, keys: &[K]) -> Marks {
        match root {
            "params" => self.task.params.marks().at(&place_of(keys)),
            "response" => self.response_marks.at(&place_of(keys)),
            "task" | "fault" | "now" | "var" => Marks::default(),
            "item" | "index" if self.item.is_some() => match self.item.as_deref() {
                Some(item) if root == "item" => item.marks.at(&place_of(keys)),
                Some(_) | None => Marks::default(),
            },
            param => self.task.params.marks().at(&(place_of(&[param]) + &place_of(keys))),
        }
    }

    /// `fault` without anything secret that was read on the way to it.
    #[must_use]
    pub fn hushed(&self, fault: Fault) -> Fault {
        let values = self.scope.taint.values();
        if values.is_empty() {
            return fault;
        }
        let forms = forms_of(&values);
        Fault { message: without(&fault.message, &forms), code: without(&fault.code, &forms), ..fault }
    }

    /// Notes a read, if it was one of something secret.
    pub(crate) fn noted<K: AsRef<str>>(&self, root: &str, keys: &[K], value: &Value) {
        let marks = match root {
            "response" => &self.response_marks,
            "task" | "fault" | "now" | "var" => return,
            "item" | "index" if self.item.is_some() => match self.item.as_deref() {
                Some(item) => &item.marks,
                None => return,
            },
            _ => self.task.params.marks(),
        };
        if !marks.is_empty() {
            let marks = self.marks(root, keys);
            if !marks.is_empty() {
                self.scope.taint.note(marks.of(value));
            }
        }
    }

    /// `item` or `index`, where there is one.
    pub fn item_name(&self, name: &str) -> Option<&Value> {
        let item = self.item.as_deref()?;
        Some(if name == "index" { &item.index } else { &item.value })
    }

    /// The same, for what goes straight to the world: `secret.NAME` is seen as its mark.
    #[must_use]
    pub fn with_secrets(&self) -> EvalContext {
        EvalContext { secrets: true, ..self.clone() }
    }

    /// The same, for the message of an alarm: `task.ack_link` and `task.level` are seen.
    #[must_use]
    pub fn with_telling(&self, told: AlarmContext) -> EvalContext {
        EvalContext { telling: Some(Arc::new(told)), ..self.clone() }
    }

    /// The value of a top-level name: `params`, `task`, `fault`, `response`, `var`, `now`, or a param.
    /// `secret` and `conv` are not values and are resolved by whoever reads the path.
    pub fn name(&self, name: &str) -> Option<Value> {
        let task = &self.task;
        match name {
            "params" => Some(Value::Object(task.params.map().clone())),
            "task" => Some(self.task_value()),
            "fault" => task.fault.as_ref().map(|fault| {
                json!({
                    "code": fault.code, "class": fault.class.as_str(), "message": fault.message,
                    "node": fault.node, "status": fault.status, "at": fault.at.map(Timestamp::seconds),
                    "retry_after": fault.retry_after.map(|it| it.0.div_ceil(1_000)),
                })
            }),
            "response" => self.response.as_ref().map(|it| Value::clone(it)),
            "var" => Some(Value::Object(Map::clone(&self.scope.vars))),
            "now" => Some(Value::from(self.now.seconds())),
            _ => task.params.get(name).cloned(),
        }
    }

    /// The one-time key of this visit of the task to its node.
    pub fn key(&self) -> String {
        key::one_time(&self.task)
    }

    fn task_value(&self) -> Value {
        let task = &self.task;
        let mut value = json!({
            "id": task.id, "ref": task.reference, "process": task.process, "node": task.at,
            "created_at": task.created_at.seconds(), "attempt": task.attempt + 1, "visit": task.visit,
            "key": self.key(), "link": self.link(), "chance": key::chance(task),
            "callback": format!("{}/oauth/callback", self.scope.public_url),
            "alarm": task.alarm.as_ref().map(|it| it.once.clone()),
        });
        if let Some(told) = &self.telling {
            value["level"] = Value::from(told.level + 1);
            value["ack_link"] = Value::from(self.ack_link(&told.key));
        }
        value
    }

    /// The link that acknowledges an alarm by its key.
    fn ack_link(&self, key: &str) -> String {
        format!("{}/hooks/{}/{key}/ack", self.scope.public_url, self.task.process)
    }

    /// The link that moves this task on from this visit: a hook with the one-time key.
    pub fn link(&self) -> String {
        format!("{}/hooks/{}/{}", self.scope.public_url, self.task.process, self.key())
    }
}
