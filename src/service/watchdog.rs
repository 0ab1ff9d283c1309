//! The watchdog's loop: a value that is about to die is told of, whatever node its task stands on and why. It
//! has a place of its own for that, needs no runner and no store, and survives a panic. What is due to be
//! told is decided in [`crate::engine::watchdog`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::engine::expiries::ExpiringValue;
use crate::engine::ports::{Collection, StoreError};
use crate::engine::waits::{Around, waits_for};
use crate::engine::watchdog::{ExpiryKey, ExpiryNotices, Notice};
use crate::model::effect::{Effect, ExternalAnswer, Notification, NotificationSubject, Request};
use crate::model::names::{ProcessId, TaskId};
use crate::model::time::{Span, Timestamp};
use crate::process::expiry::Expiry;
use crate::process::process::Process;
use crate::service::errors::ServiceResult;
use crate::service::kept::{record, value};
use crate::service::service::{Service, lock};
use crate::service::view::time;

/// It looks at least so often: a clock may be set, and a life may begin that is short.
const LOOK_EVERY: Span = Span::secs(5);
/// A clock that is so much earlier than at the last look was set back.
const SET_BACK: Span = Span::secs(30);
/// How long it waits for the store. A message to a person does not wait for it.
const STORE_MAX: Span = Span::secs(2);
/// How long all channels together may take.
const TELL_TIMEOUT: Span = Span::mins(2);
/// A pass may take so long before it is said to hang.
const BEAT_MAX: Span = Span::mins(1);
/// Who is told where a process names nobody.
const AUTHOR: &str = "author";
/// How many values a status lists.
const LISTED_MAX: usize = 100;

/// What is told, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    task: TaskId,
    param: String,
    notices: ExpiryNotices,
}

/// How the watchdog fares, and what it has found.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct WatchdogStatus {
    /// When it looked last; null before the first time.
    pub looked_at: Option<String>,
    /// It looks as often as it should.
    pub ok: bool,
    /// How many values it has found that need a person.
    pub open: usize,
    /// At most 100 of them.
    pub values: Vec<DyingView>,
}

/// A value that is about to die, or is dead.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Dying)]
pub struct DyingView {
    /// The process.
    pub process: String,
    /// The task.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The param.
    pub param: String,
    /// When it dies.
    pub expires_at: String,
    /// What its task waits for.
    pub waits_for: String,
    /// What a person can do about it.
    pub remedy: String,
    /// When somebody was told last; null while nobody was.
    pub notified_at: Option<String>,
    /// Why nobody was told.
    pub problem: Option<String>,
}

impl Service {
    /// Watches over the values that die, until `stop`.
    pub async fn run_watchdog(self: Arc<Self>, stop: CancellationToken) {
        if let Err(error) = self.load_watchdog().await {
            tracing::warn!(%error, "what the watchdog told before is not known: it may tell it again");
        }
        loop {
            let service = Arc::clone(&self);
            let pass = tokio::spawn(async move { service.watchdog_pass() });
            let pause = match pass.await {
                Ok(pause) => pause.min(LOOK_EVERY),
                Err(error) => {
                    metrics::counter!("beltline_watchdog_panics_total").increment(1);
                    tracing::error!(%error, "the watchdog fell over, and goes on");
                    LOOK_EVERY
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.clock().after(pause) => {}
            }
        }
    }

    async fn load_watchdog(&self) -> ServiceResult<()> {
        for kept in self.store().collection(Collection::Watchdog).await? {
            let Kept { task, param, notices } = value(kept)?;
            lock(&self.watch.dog).load((task, param), notices);
        }
        Ok(())
    }

    /// Looks, and has told what is due; says how long until the next look. What takes time goes on by itself.
    fn watchdog_pass(self: Arc<Self>) -> Span {
        self.tell_asides();
        let (now, tick) = (self.now(), self.clock().ticks());
        let expiries = &self.board().expiries;
        let before = Timestamp(self.watch.looked.swap(now.0, Ordering::Relaxed));
        let ahead = (before == Timestamp(0) || now + SET_BACK < before).then(|| expiries.ahead(now));
        let due = expiries.due(now);
        let (notices, pause, open) = {
            let mut dog = lock(&self.watch.dog);
            dog.saw_ahead(now, tick, &ahead.unwrap_or_default());
            let notices = dog.look(now, tick, &due, |id| expiries.of(id));
            (notices, dog.pause(now, tick, expiries.next_due(now)), dog.open().count())
        };
        #[expect(clippy::cast_precision_loss, reason = "a moment in seconds needs no more than 52 bits")]
        metrics::gauge!("beltline_watchdog_looked_seconds").set(now.0 as f64 / 1_000.0);
        metrics::gauge!("beltline_watchdog_open").set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
        if !notices.is_empty() {
            tokio::spawn(async move { self.tell_all(notices, now).await });
        }
        pause
    }

    async fn tell_all(self: Arc<Self>, notices: Vec<Notice>, now: Timestamp) {
        let store = self.store_trouble().await;
        let store = store.as_deref();
        join_all(notices.into_iter().map(async |notice| match notice {
            Notice::Raise(expiring, expiry) => self.raise(&expiring, &expiry, store, now).await,
            Notice::Resolve(expiring, expiry, told) => self.resolve(&expiring, &expiry, told, now).await,
            Notice::Gone(key) => self.may_forget(&key).await,
        }))
        .await;
    }

    /// Why the store takes no writes; none if it does.
    async fn store_trouble(&self) -> Option<String> {
        match self.soon(self.store().probe()).await {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some(format!("no answer within {STORE_MAX}")),
        }
    }

    /// What the store says soon; none if it does not.
    async fn soon<T>(
        &self,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Option<Result<T, StoreError>> {
        tokio::select! {
            biased;
            said = asked => Some(said),
            () = self.clock().after(STORE_MAX) => None,
        }
    }

    async fn raise(&self, expiring: &ExpiringValue, expiry: &Expiry, store: Option<&str>, now: Timestamp) {
        let key = (expiring.id, expiry.param.clone());
        let (process, reference, param) =
            (&expiring.address.process, &expiring.standing.shown, &expiry.param);
        let (why, remedy) = self.why(expiring, store, now);
        let expires_at = expiry.expires_at;
        tracing::error!(%process, task = reference, param, %expires_at, why, "a value is about to die");
        // Before it is told: after a crash in between it is told again, some minutes later.
        self.keep_notices(&key).await;
        let left = expires_at.since(now);
        let end = match left {
            Span(0) => format!("It is dead since {expires_at}."),
            left => format!("It dies at {expires_at}, in {} minutes.", left.0 / 60_000),
        };
        let text = format!(
            "\"{param}\" of {process}/{reference} has not been renewed. {end}\n\
             Its process has told nobody, so the engine does: {why}.\nWhat to do: {remedy}.\n{}",
            self.page(expiring)
        );
        let channels = self.alerts(expiring);
        let ask = Notification {
            channels,
            subject: format!("\"{param}\" of {process}/{reference} has not been renewed"),
            text,
            about: Some(Box::new(self.about(expiring, &why, false))),
            ..Notification::default()
        };
        let outcome = self.tell_by_watchdog(&key, expiry, ask, now).await;
        lock(&self.watch.dog).heard(&key, now, outcome);
        self.keep_notices(&key).await;
    }

    async fn resolve(&self, expiring: &ExpiringValue, expiry: &Expiry, told: ExpiryNotices, now: Timestamp) {
        let key = (expiring.id, expiry.param.clone());
        let (process, reference, param) =
            (&expiring.address.process, &expiring.standing.shown, &expiry.param);
        let ask = Notification {
            channels: told.reached,
            all: true,
            subject: format!("Resolved: \"{param}\" of {process}/{reference} is renewed"),
            text: format!(
                "Resolved: \"{param}\" of {process}/{reference} is renewed. The new one is good until {}.",
                expiry.expires_at
            ),
            about: Some(Box::new(self.about(expiring, "", true))),
            ..Notification::default()
        };
        if !ask.channels.is_empty() {
            // What is over is over, whether or not that could be told.
            drop(self.tell_by_watchdog(&key, expiry, ask, now).await);
        }
        // Another value of the same name may have been told of since.
        if lock(&self.watch.dog).known(&key).is_none() {
            self.forget_notices(&key).await;
        }
    }

    /// The task is not among those that are known: it has ended, its value was taken away, or its process is
    /// not deployed. Only the last of these is no relief.
    async fn may_forget(&self, key: &ExpiryKey) {
        let Some(Ok(task)) = self.soon(self.store().task(key.0)).await else { return };
        let is_hidden =
            task.is_some_and(|it| it.state.phase().is_live() && self.registry().get(&it.process).is_none());
        if !is_hidden {
            lock(&self.watch.dog).forget(key);
            self.forget_notices(key).await;
        }
    }

    async fn tell_by_watchdog(
        &self,
        key: &ExpiryKey,
        expiry: &Expiry,
        ask: Notification,
        now: Timestamp,
    ) -> Result<Vec<String>, String> {
        let over = if ask.all { "-over" } else { "" };
        let name = format!("watchdog-{}-{}-{}{over}-{}", key.0, key.1, expiry.expires_at.0, now.0);
        let effect = Effect { key: name, request: Request::Notify(ask), timeout: TELL_TIMEOUT, once: false };
        match self.handle.processor().world.perform(&effect).await {
            Ok(ExternalAnswer::Notified(all)) => {
                Ok(all.into_iter().filter(|it| it.result.is_ok()).map(|it| it.channel).collect())
            }
            Ok(ExternalAnswer::Http(_) | ExternalAnswer::Later(_)) => {
                Err("the answer is not one to a message".to_owned())
            }
            Err(fault) => Err(fault.message),
        }
    }

    /// What the task waits for, and the remedy.
    fn why(&self, expiring: &ExpiringValue, store: Option<&str>, now: Timestamp) -> (String, String) {
        let deployed = self.registry().get(&expiring.address.process);
        let around = Around {
            is_deployed: deployed.is_some(),
            is_paused: deployed.as_ref().is_some_and(|it| it.paused),
            has_node: deployed.as_ref().is_some_and(|it| it.process.node(&expiring.standing.node).is_some()),
            waits_for_place: self.board().waits_for_place(expiring.id),
            is_disk_full: !self.store().room().takes_answers(),
            store,
        };
        waits_for(expiring, around, now)
    }

    fn about(&self, expiring: &ExpiringValue, why: &str, over: bool) -> NotificationSubject {
        NotificationSubject {
            process: expiring.address.process.clone(),
            node: expiring.standing.node.clone(),
            reference: expiring.address.reference.clone(),
            code: "not renewed".to_owned(),
            why: why.to_owned(),
            over,
            see: format!("{}/dashboard/p/{}", self.public_url(), expiring.address.process),
        }
    }

    /// Where a person sees the task.
    fn page(&self, expiring: &ExpiringValue) -> String {
        format!("{}/dashboard/p/{}", self.public_url(), expiring.address.process)
    }

    /// The channels that the process raises its alarms by, and the author.
    fn alerts(&self, expiring: &ExpiringValue) -> Vec<String> {
        self.alerts_of(&expiring.address.process)
    }

    /// The channels on which a process tells of what is wrong, and the author's.
    pub(super) fn alerts_of(&self, process: &ProcessId) -> Vec<String> {
        let deployed = self.registry().get(process);
        let mut names = deployed.as_ref().map(|it| alerts(&it.process)).unwrap_or_default();
        if !names.iter().any(|it| it == AUTHOR) {
            names.push(AUTHOR.to_owned());
        }
        names
    }

    /// Keeps what was told of a value, if the store takes it soon; it is remembered all the same.
    async fn keep_notices(&self, key: &ExpiryKey) {
        let Some(notices) = lock(&self.watch.dog).known(key).cloned() else { return };
        let kept = Kept { task: key.0, param: key.1.clone(), notices };
        let record = match record(Collection::Watchdog, &name(key), &kept, self.now()) {
            Ok(record) => record,
            Err(error) => return tracing::warn!(%error, "what the watchdog told is not kept"),
        };
        if let Some(Err(error)) = self.soon(self.store().put(vec![record])).await {
            tracing::warn!(%error, "what the watchdog told is not kept");
        }
    }

    async fn forget_notices(&self, key: &ExpiryKey) {
        if let Some(Err(error)) = self.soon(self.store().delete(Collection::Watchdog, &name(key))).await {
            tracing::warn!(%error, "what the watchdog told is not forgotten");
        }
    }

    /// How the watchdog fares.
    pub(super) fn watchdog_status(&self) -> WatchdogStatus {
        let now = self.now();
        let looked = Timestamp(self.watch.looked.load(Ordering::Relaxed));
        let dog = lock(&self.watch.dog);
        let view = |(key, told): (&ExpiryKey, &ExpiryNotices)| {
            let expiring = self.board().expiries.of(key.0)?;
            let (waits_for, remedy) = self.why(&expiring, None, now);
            Some(DyingView {
                process: expiring.address.process.to_string(),
                reference: expiring.standing.shown.clone(),
                param: key.1.clone(),
                expires_at: time(told.expires_at),
                waits_for,
                remedy,
                notified_at: told.notified_at.map(time),
                problem: told.problem.clone(),
            })
        };
        WatchdogStatus {
            looked_at: (looked.0 != 0).then(|| time(looked)),
            ok: looked.0 != 0 && now.since(looked) < BEAT_MAX,
            open: dog.open().count(),
            values: dog.open().filter_map(view).take(LISTED_MAX).collect(),
        }
    }
}

/// The channels that a process's own alarms go by, in the order in which its file names them.
fn alerts(process: &Process) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = process.nodes.iter().flat_map(|node| node.kind.alerts());
    all.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

fn name(key: &ExpiryKey) -> String {
    format!("{}/{}", key.0, key.1)
}
