//! A lease: a value that is good for a while yet. If the present one is not, the task is woken, and the new
//! one is waited for. However many ask at once, the task is woken once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::engine::batch::SubmitError;
use crate::model::marks::place_of;
use crate::model::names::{Address, TaskId};
use crate::model::near::nearest;
use crate::model::params::Params;
use crate::model::signal::{Command, Signal, SignalKind, SignalTarget};
use crate::model::task::{State, Task};
use crate::model::time::{Span, Timestamp};
use crate::process::expiry::Expiry;
use crate::process::process::Process;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{NotFresh, ServiceError, ServiceResult};
use crate::service::service::Service;
use crate::service::submit::WAIT_MAX;

/// How long a renewal is waited for if nothing is said.
pub const WAIT_DEFAULT: Span = Span::secs(30);
/// A value that was born so short a time ago is as fresh as can be had…
const YOUNG: Span = Span::secs(60);
/// … and for this part of its life at most.
const YOUNG_PART: u64 = 20;
/// The kinds of node on which a task that waits is at work: others do it.
const AT_WORK: [&str; 2] = ["call", "each"];
/// How often the store is looked at although no commit was seen: another engine may have moved the task.
const LOOK_EVERY: Span = Span::secs(1);

/// What somebody wants of a value.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The param.
    pub param: String,
    /// It lives so long yet, at least.
    pub fresh_for: Span,
    /// How long a new one is waited for.
    pub wait: Option<Span>,
}

/// A value that is as fresh as was asked for.
#[derive(Debug)]
pub struct Leased {
    /// The value.
    pub value: Value,
    /// When it dies.
    pub expires_at: Timestamp,
    /// Only who may read secrets gets it.
    pub is_secret: bool,
}

/// A lease that is being waited for.
struct Waiter<'a> {
    by: &'a Actor,
    wish: &'a Wish,
    process: Arc<Process>,
    deadline: Timestamp,
    /// The task was told that a fresh value is wanted.
    woken: bool,
    /// Somebody else is telling it.
    joined: Option<Arc<AtomicBool>>,
}

impl Service {
    /// The value of a param that lives for a while yet: at once, or after a renewal. A secret needs the
    /// right, and is noted. A lease may wake the task, and so needs the right to run it.
    pub async fn lease(&self, by: &Actor, address: &Address, wish: &Wish) -> ServiceResult<Leased> {
        by.need(Right::Read, &address.process)?;
        // It may wake the task.
        by.need(Right::Run, &address.process)?;
        let process = self.deployed(&address.process)?.process;
        is_leased(&process, &wish.param)?;
        if process.secret.contains(&wish.param) {
            by.need(Right::Secrets, &address.process)?;
        }
        let id = self.task_at(address, None).await?.id;
        let wait = wish.wait.unwrap_or(WAIT_DEFAULT);
        if wait > WAIT_MAX {
            return Err(ServiceError::bad(
                "bad_wait",
                format!("`wait` is at most {WAIT_MAX}, and this is {wait}"),
            ));
        }
        let deadline = self.now() + wait;
        let mut waiter = Waiter { by, wish, process, deadline, woken: false, joined: None };
        let leased = self.fresh(id, &mut waiter).await?;
        if leased.is_secret && !waiter.process.secret.contains(&wish.param) {
            by.need(Right::Secrets, &address.process)?;
        }
        if leased.is_secret {
            self.audit(by, "secret.read", format!("{address} {}", wish.param)).await?;
        }
        Ok(leased)
    }

    /// Looks, wakes and waits, until there is a fresh value or there will be none in time.
    async fn fresh(&self, id: TaskId, it: &mut Waiter<'_>) -> ServiceResult<Leased> {
        loop {
            // Asked for before the look, so that no commit after the look is missed.
            let moved = self.board().waiters.moved(id);
            let task =
                self.store().task(id).await?.ok_or_else(|| ServiceError::missing("task", id.to_string()))?;
            if let Some(leased) = it.look(&task, self.now())? {
                return Ok(leased);
            }
            if self.deployed(&task.process)?.paused {
                let message = format!("process `{}` is paused, so nothing is renewed", task.process);
                return Err(ServiceError::conflict("process_paused", message));
            }
            if self.now() >= it.deadline {
                return Err(self.not_fresh(&task, it));
            }
            if it.joined.take_if(|taken| taken.load(Ordering::Acquire)).is_some() {
                it.woken = true;
            }
            match it.next(&task) {
                Next::Wait => {}
                Next::Never => return Err(self.not_fresh(&task, it)),
                Next::Wake => match self.wakes.begin(id) {
                    Ok(waking) => {
                        it.woken = self.wake(&task, it).await?;
                        waking.heard(it.woken);
                        continue;
                    }
                    Err(taken) => it.joined = Some(taken),
                },
            }
            let look = it.deadline.min(self.now() + LOOK_EVERY);
            tokio::select! {
                moved = moved => if moved.is_none() {
                    return Err(SubmitError::Stopping.into());
                },
                () = self.clock().at(look) => {}
            }
        }
    }

    /// Tells the task, as it was looked at, that a fresh value is wanted. Says whether it took that; one that
    /// has moved since has not.
    async fn wake(&self, task: &Task, it: &Waiter<'_>) -> ServiceResult<bool> {
        let command = Command::Modify { params: Params::default(), revision: Some(task.revision) };
        let kind = SignalKind::Command { command, by: format!("{} (lease)", it.by.name) };
        let Some(reading) = self.handle.post(Signal { to: SignalTarget::Task(task.id), kind }).await? else {
            return Ok(false);
        };
        tokio::select! {
            biased;
            read = reading => Ok(matches!(read, Some(Ok(_)))),
            () = self.clock().at(it.deadline) => Ok(false),
        }
    }

    fn not_fresh(&self, task: &Task, it: &Waiter<'_>) -> ServiceError {
        let (name, now) = (&it.wish.param, self.now());
        let view = self.shown_if_deployed(it.by, task);
        let expiry = it.process.expiry_of(name, &task.params);
        let expires_at = expiry.as_ref().map(|expiry| expiry.expires_at);
        let has = match expires_at {
            None => "there is none yet".to_owned(),
            Some(at) if at <= now => format!("the present one died at {at}"),
            Some(at) => format!("the present one dies at {at}"),
        };
        let born = expiry.and_then(|it| it.issued_at);
        let fault = view.fault.as_ref().filter(|_| {
            task.fault.as_ref().is_some_and(|fault| born.is_none_or(|born| fault.at >= Some(born)))
        });
        let why = match (&view.alarm, fault) {
            (Some(alarm), _) => format!("; {}", alarm.text.lines().next().unwrap_or_default().trim()),
            (None, Some(fault)) => format!("; the last fault is {}: {}", fault.code, fault.message),
            (None, None) => String::new(),
        };
        let message = format!(
            "no `{name}` of `{}` that lives {} yet: {has}, and the task is {} on `{}`{}",
            task.address(),
            it.wish.fresh_for,
            view.state,
            task.at,
            why.trim_end_matches('.'),
        );
        let retry_after = task.due.map(|due| due.since(now));
        ServiceError::NotFresh(Box::new(NotFresh { message, expires_at, retry_after, task: view }))
    }
}

/// What to do about a value that is not fresh.
enum Next {
    Wake,
    Wait,
    Never,
}

impl Waiter<'_> {
    /// The value, if it is fresh. What can never be as fresh as that is refused.
    fn look(&self, task: &Task, now: Timestamp) -> ServiceResult<Option<Leased>> {
        let name = &self.wish.param;
        if !task.state.phase().is_live() {
            let message = format!("task `{}` has ended, and renews nothing", task.address());
            return Err(ServiceError::conflict("task_ended", message));
        }
        let Some(expiry) = self.process.expiry_of(name, &task.params) else { return Ok(None) };
        if now + self.wish.fresh_for <= expiry.expires_at && now < expiry.expires_at {
            let value = task.params.get(name).cloned().unwrap_or_default();
            let is_marked = task.params.marks().touches(&place_of(&[name]));
            let is_secret = is_marked || self.process.secret.contains(name);
            return Ok(Some(Leased { value, expires_at: expiry.expires_at, is_secret }));
        }
        match expiry.issued_at {
            Some(born) if too_long(&expiry, born, self.wish.fresh_for, now) => {
                let whole = expiry.expires_at.since(born);
                let message = format!(
                    "a new `{name}` lives {whole}, and one that lives {} yet was asked for; \
                     hint: ask for `{}` at most",
                    self.wish.fresh_for,
                    Span(whole.0 - young(whole).0),
                );
                Err(ServiceError::bad("fresh_for_too_long", message))
            }
            Some(_) | None => Ok(None),
        }
    }

    fn next(&self, task: &Task) -> Next {
        let soon = task.due.is_some_and(|due| due <= self.deadline);
        let there = self.process.expiry_of(&self.wish.param, &task.params).is_some();
        match &task.state {
            State::Ready { .. } | State::Doing(_) => Next::Wait,
            State::Waiting { .. } if there && !self.woken && may_wake(&self.process, task) => Next::Wake,
            State::Waiting { .. } if soon || is_at_work(&self.process, task) => Next::Wait,
            State::Waiting { .. } | State::Done | State::Failed | State::Cancelled => Next::Never,
        }
    }
}

/// Whether no renewal makes a value live so long, or no longer than the young one that is there.
fn too_long(expiry: &Expiry, born: Timestamp, fresh_for: Span, now: Timestamp) -> bool {
    let whole = expiry.expires_at.since(born);
    fresh_for > whole || (now < expiry.expires_at && now.since(born) < young(whole))
}

/// How long a value that lives so long is young.
fn young(whole: Span) -> Span {
    YOUNG.min(Span(whole.0 / YOUNG_PART))
}

/// Whether the task may stand where an empty signal moves it: not where it waits for something from somebody.
fn may_wake(process: &Process, task: &Task) -> bool {
    let accepts = process.node(&task.at).and_then(|node| node.kind.accepts());
    accepts.is_none_or(|names| names.is_empty()) && !is_at_work(process, task)
}

/// Whether other tasks owe it an answer.
fn is_at_work(process: &Process, task: &Task) -> bool {
    process.node(&task.at).is_some_and(|node| AT_WORK.contains(&node.kind_name))
}

/// Only what says when it dies can be leased.
fn is_leased(process: &Process, name: &str) -> ServiceResult<()> {
    match process.params.iter().find(|param| param.name == name) {
        Some(param) if param.expiry.is_some() => Ok(()),
        Some(_) => {
            let message = format!(
                "param `{name}` of process `{}` says nothing of when its value dies; \
                 hint: write `expires_at:` with the name of the param that holds that moment",
                process.id
            );
            Err(ServiceError::bad("no_expiry", message))
        }
        None => {
            let near = nearest(name, process.params.iter().map(|it| it.name.as_str()));
            let hint = near.map(|it| format!("did you mean `{it}`?"));
            Err(ServiceError::Missing { what: "param", name: name.to_owned(), hint })
        }
    }
}
