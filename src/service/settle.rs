//! Settling: what a deploy, a pause, a resume or a delete began is brought to an end, whatever comes between.
//!
//! * Who asked may leave: the work goes on without them ([`Service::whole`]).
//! * While a process rests for a deploy, tasks that come by are laid down with no wake-up. That is a debt,
//!   and it is kept (`wake_parked` in [`KeptProcess`]) before the first task can be: after a crash it is paid
//!   at the start.
//! * An error or a panic drops the [`Unsettled`]: memory goes back to what it was, and then, as soon as the
//!   store can be read and written, to what the store says; and whatever lies down is woken. Tried until it
//!   is done.

use std::sync::{Arc, PoisonError, Weak};

use crate::engine::ports::Collection;
use crate::engine::registry::Deployed;
use crate::model::names::ProcessId;
use crate::model::time::Span;
use crate::service::actor::Actor;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::kept::{KeptProcess, value};
use crate::service::service::{Service, lock};

/// How soon what could not be settled is tried again …
const AGAIN_FIRST: Span = Span::millis(250);
/// … and at most how late: twice as late each time.
const AGAIN_MAX: Span = Span::secs(15);

/// Something was begun with a process. Dropped before it is over, it is settled later.
pub(super) struct Unsettled {
    service: Weak<Service>,
    id: ProcessId,
    /// The process as it was, until the store holds something else.
    before: Option<Deployed>,
    over: bool,
}

impl Unsettled {
    /// The process as it was holds no more.
    pub(super) fn kept(&mut self) {
        self.before = None;
    }

    /// All of it was done.
    pub(super) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        let Some(service) = self.service.upgrade().filter(|_| !self.over) else { return };
        if let Some(before) = self.before.take() {
            service.registry().put(before);
        }
        service.settle_later(&self.id);
    }
}

impl Service {
    /// Does `work` to its end, even if whoever asked for it leaves meanwhile.
    pub(super) async fn whole<T, F>(&self, work: impl FnOnce(Arc<Service>) -> F) -> ServiceResult<T>
    where
        F: Future<Output = ServiceResult<T>> + Send + 'static,
        T: Send + 'static,
    {
        let service = self.me.get().and_then(Weak::upgrade).ok_or(ServiceError::Stopping)?;
        match tokio::spawn(work(service)).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                // It is this request's, as if it had happened here.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(ServiceError::Stopping),
            },
        }
    }

    /// Something begins with that process, and `before` is how it was.
    pub(super) fn begin(&self, id: &ProcessId, before: Option<Deployed>) -> Unsettled {
        let service = self.me.get().cloned().unwrap_or_default();
        Unsettled { service, id: id.clone(), before, over: false }
    }

    /// How many processes are not as the store has them yet, or have tasks that nobody has woken.
    pub(super) fn unsettled(&self) -> usize {
        lock(&self.debts).len()
    }

    /// Settles a process as soon as that can be.
    pub(super) fn settle_later(&self, id: &ProcessId) {
        let Some(me) = self.me.get().cloned() else { return };
        lock(&self.debts).insert(id.clone());
        let (id, clock) = (id.clone(), Arc::clone(&self.handle.processor().clock));
        tokio::spawn(async move {
            let mut pause = AGAIN_FIRST;
            // While nobody holds the service there is nothing to settle.
            while let Some(service) = me.upgrade() {
                let Err(error) = service.settle(&id).await else { return };
                drop(service);
                tracing::warn!(process = %id, %error, "not settled yet; it is tried again");
                clock.after(pause).await;
                pause = Span(pause.0 * 2).min(AGAIN_MAX);
            }
        });
    }

    /// Makes memory as the store has it, moves the tasks that are to be moved, and wakes those that lie down.
    async fn settle(&self, id: &ProcessId) -> ServiceResult<()> {
        let _one = self.deploying.lock().await;
        // Somebody else has settled it.
        if !lock(&self.debts).contains(id) {
            return Ok(());
        }
        match self.store().record(Collection::Process, id.as_str()).await? {
            Some(record) => {
                let kept: KeptProcess = value(record)?;
                self.remember(id, kept.clone());
                let same = self.registry().get(id).filter(|it| it.process.version == kept.version);
                let process = match same {
                    Some(it) => Some(it.process),
                    None => self.load(id, &kept).await?,
                };
                if let Some(process) = process {
                    self.install(&process, kept, &Actor::local("deploy")).await?;
                }
            }
            None => {
                self.registry().remove(id);
                self.kept.write().unwrap_or_else(PoisonError::into_inner).remove(id);
            }
        }
        lock(&self.debts).remove(id);
        self.schedules.changed.notify_one();
        Ok(())
    }
}
