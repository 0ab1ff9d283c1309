//! What a hook makes of a request: whether it counts, which task it is for, what that is given.

use serde_json::{Map, Value};

use crate::model::fault::Fault;
use crate::model::json::whole;
use crate::model::names::{Address, Ref, TaskId};
use crate::model::params::Params;
use crate::model::scope::{EvalContext, ReadSet};
use crate::model::task::{Birth, Seed, Task};
use crate::model::time::Timestamp;
use crate::process::hook::{Hook, HookProof};
use crate::process::process::Process;

/// A request as the texts of a hook see it.
#[derive(Clone, Debug, Default)]
pub struct HookRequest {
    /// How it called.
    pub method: String,
    /// Its headers, names in lower case.
    pub headers: Map<String, Value>,
    /// The query of its address.
    pub query: Value,
    /// Its body.
    pub body: Value,
}

/// What the texts of a hook of `process` see. A hook belongs to no task: what it sees stands where a task's
/// params would.
pub fn view(
    process: &Process,
    seen: HookRequest,
    scope: &ReadSet,
    now: Timestamp,
) -> Result<EvalContext, Fault> {
    let bad = |error: crate::model::names::BadName| Fault::lasting("bad_name", error.to_string());
    let address = Address { process: process.id.clone(), reference: Ref::new("hook").map_err(bad)? };
    let HookRequest { method, headers, query, body } = seen;
    let params = [
        ("method", Value::from(method)),
        ("headers", Value::Object(headers)),
        ("query", query),
        ("body", body),
    ];
    let params = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let birth = Birth::new(TaskId(0), Seed([0; 16]));
    Ok(EvalContext::new(Task::new(birth, address, process.start.clone(), params, now), scope, now))
}

/// The same body with its whole numbers as such; `None` if they are so already.
fn with_whole_numbers(body: &Value) -> Option<Value> {
    match body {
        Value::Number(_) => whole(body).map(Value::from),
        Value::Array(items) => {
            let made: Vec<_> = items.iter().map(with_whole_numbers).collect();
            let both = made.iter().any(Option::is_some).then(|| made.into_iter().zip(items))?;
            Some(both.map(|(made, item)| made.unwrap_or_else(|| item.clone())).collect())
        }
        Value::Object(map) => {
            let made: Vec<_> = map.values().map(with_whole_numbers).collect();
            let both = made.iter().any(Option::is_some).then(|| made.into_iter().zip(map))?;
            Some(both.map(|(made, (name, it))| (name.clone(), made.unwrap_or_else(|| it.clone()))).collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

impl Hook {
    /// Whether anybody may come in.
    pub fn is_public(&self) -> bool {
        matches!(self.check, HookProof::Public)
    }

    /// Whether a request counts.
    ///
    /// # Errors
    /// What `when` could not read.
    pub fn wants(&self, view: &EvalContext) -> Result<bool, Fault> {
        self.when.as_ref().map_or(Ok(true), |when| when.truth(view))
    }

    /// The name of the task it is for, if the hook gives one. What is 7 in one request and 7.0 in the next is
    /// one task.
    ///
    /// # Errors
    /// What `ref` could not read.
    pub fn reference(&self, view: &EvalContext) -> Result<Option<String>, Fault> {
        let Some(reference) = &self.reference else { return Ok(None) };
        let body = view.task.params.get("body").and_then(with_whole_numbers);
        let Some(body) = body else { return reference.text(view).map(Some) };
        let mut task = Task::clone(&view.task);
        task.params.set("body", body);
        let view = EvalContext::new(task, &view.scope, view.now);
        reference.text(&view).map(Some)
    }

    /// What the task is given.
    ///
    /// # Errors
    /// What `params` could not read; `bad_value` if nothing says what to take of a body that has no fields.
    pub fn params(&self, process: &Process, view: &EvalContext) -> Result<Params, Fault> {
        if let Some(drafts) = &self.params {
            return drafts.iter().map(|(name, it)| Ok((name.clone(), it.fill(view)?))).collect();
        }
        let body = view.task.params.get("body").and_then(Value::as_object);
        let Some(body) = body else {
            let message =
                "the body has no fields by name; hint: the hook can say `params: {body: \"= body\"}`";
            return Err(Fault::lasting("bad_value", message));
        };
        let declared = || process.params.iter().filter(|it| it.input);
        let has_any = |it: &Map<String, Value>| declared().any(|param| it.contains_key(&param.name));
        // XML has one field, which holds the others; so do envelopes.
        let within = body
            .values()
            .next()
            .and_then(Value::as_object)
            .filter(|it| body.len() == 1 && !has_any(body) && has_any(it));
        let body = within.unwrap_or(body);
        let given = declared().filter_map(|it| Some((it.name.clone(), body.get(&it.name)?.clone())));
        Ok(given.collect())
    }
}
