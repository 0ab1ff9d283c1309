//! [`Waiters`]: who waits for a signal to be read, or for a task to reply, to move or to end. A place in a
//! line is taken before what is waited for can happen, so nothing that happened has to be remembered for
//! those who may ask; and it is given up when whoever waits is dropped. What is held is bounded by who waits
//! now.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::engine::transition::{Reading, SignalId, Transition};
use crate::model::fault::Fault;
use crate::model::names::TaskId;
use crate::model::params::Params;
use crate::model::task::Task;

/// What became of a signal: the task after it, or why it changed nothing.
pub type SignalResult = Result<Arc<Task>, Fault>;

/// What a task replies.
pub type TaskReply = Result<Params, Fault>;

/// Who waits for what.
#[derive(Debug, Default)]
pub struct Waiters {
    signals: Arc<Mutex<HashMap<TaskId, Mail>>>,
    ends: Line<Arc<Task>>,
    replies: Line<TaskReply>,
    moves: Line<()>,
}

/// Those who wait for signals to one task.
#[derive(Debug, Default)]
struct Mail {
    /// Those whose signal is on its way to the store, and has no number yet.
    posting: BTreeSet<u64>,
    /// Those whose signal is in the store.
    posted: HashMap<SignalId, oneshot::Sender<SignalResult>>,
    /// What was read while somebody was posting, and the newest ticket then: it may be that very signal. It
    /// is dropped when all who were posting then know their numbers.
    early: Vec<(u64, SignalId, SignalResult)>,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.posting.is_empty() && self.posted.is_empty()
    }

    fn read(&mut self, reading: &Reading, read: impl FnOnce() -> SignalResult) {
        match self.posted.remove(&reading.signal) {
            // Who left does not want to know.
            Some(sender) => drop(sender.send(read())),
            None => {
                if let Some(newest) = self.posting.last() {
                    self.early.push((*newest, reading.signal, read()));
                }
            }
        }
    }

    fn known(&mut self, ticket: u64) {
        self.posting.remove(&ticket);
        let oldest = self.posting.first().copied().unwrap_or(u64::MAX);
        self.early.retain(|(newest, ..)| *newest >= oldest);
    }
}

impl Waiters {
    /// A place for a signal to `task` that is about to be posted.
    pub fn signal(&self, task: TaskId) -> Posting {
        let ticket = next_ticket();
        locked(&self.signals).entry(task).or_default().posting.insert(ticket);
        Posting { signals: Arc::clone(&self.signals), task, ticket, known: None }
    }

    /// Gives a task when it has ended.
    pub fn end(&self, id: TaskId) -> WaitHandle<Arc<Task>> {
        self.ends.wait(id)
    }

    /// Gives what a task replies first; nothing if it ends without a reply.
    pub fn reply(&self, id: TaskId) -> WaitHandle<TaskReply> {
        self.replies.wait(id)
    }

    /// Says so when a task is committed next. Only this runner's commits are seen.
    pub fn moved(&self, id: TaskId) -> WaitHandle<()> {
        self.moves.wait(id)
    }

    /// Tells those whom a committed transition concerns.
    pub fn committed(&self, transition: &Transition) {
        let task = &transition.task;
        // Cloned for those who want to know, and once for all of them.
        let mut copy = None;
        let mut shared = || Arc::clone(copy.get_or_insert_with(|| Arc::new(task.clone())));
        if let Some(mail) = locked(&self.signals).get_mut(&task.id) {
            for reading in &transition.read {
                mail.read(reading, || reading.refused.clone().map_or_else(|| Ok(shared()), Err));
            }
        }
        if let Some(reply) = &transition.reply {
            self.replies.notify(task.id, || reply.clone());
        }
        self.moves.notify(task.id, || ());
        if transition.gone || !task.state.phase().is_live() {
            self.replies.forget(task.id);
            self.ends.notify(task.id, shared);
        }
    }

    /// The engine stops: nobody waits any more for what may take long.
    pub fn close(&self) {
        self.ends.close();
        self.replies.close();
        self.moves.close();
    }

    /// How much is held: those who wait, and what is remembered for them.
    pub fn held(&self) -> usize {
        let signals: usize = locked(&self.signals)
            .values()
            .map(|mail| 1 + mail.posting.len() + mail.posted.len() + mail.early.len())
            .sum();
        signals + self.ends.held() + self.replies.held() + self.moves.held()
    }
}

/// A signal that is being posted, by somebody who wants to know when it is read.
#[derive(Debug)]
pub struct Posting {
    signals: Arc<Mutex<HashMap<TaskId, Mail>>>,
    task: TaskId,
    ticket: u64,
    known: Option<SignalId>,
}

impl Posting {
    /// It is in the store under that number. Gives what becomes of it; nothing if nobody will tell any more.
    pub async fn read(mut self, id: SignalId) -> Option<SignalResult> {
        let receiver = self.posted(id);
        // `self` lives until then: who stops to wait gives up the place.
        receiver.await.ok()
    }

    fn posted(&mut self, id: SignalId) -> oneshot::Receiver<SignalResult> {
        let (sender, receiver) = oneshot::channel();
        let mut signals = locked(&self.signals);
        let mail = signals.entry(self.task).or_default();
        match mail.early.iter().position(|(_, read, _)| *read == id) {
            // The receiver is here.
            Some(place) => drop(sender.send(mail.early.swap_remove(place).2)),
            None => drop(mail.posted.insert(id, sender)),
        }
        mail.known(self.ticket);
        drop(signals);
        self.known = Some(id);
        receiver
    }
}

impl Drop for Posting {
    fn drop(&mut self) {
        let mut signals = locked(&self.signals);
        let Some(mail) = signals.get_mut(&self.task) else { return };
        match self.known {
            Some(id) => drop(mail.posted.remove(&id)),
            None => mail.known(self.ticket),
        }
        if mail.is_empty() {
            signals.remove(&self.task);
        }
    }
}

type Places<T> = Arc<Mutex<HashMap<TaskId, Vec<(u64, oneshot::Sender<T>)>>>>;

/// Those who wait for one sort of thing, by the task they wait for.
#[derive(Debug)]
struct Line<T> {
    places: Places<T>,
    closed: AtomicBool,
}

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        Line { places: Arc::default(), closed: AtomicBool::new(false) }
    }
}

impl<T> Line<T> {
    fn wait(&self, of: TaskId) -> WaitHandle<T> {
        let (sender, receiver) = oneshot::channel();
        let ticket = next_ticket();
        let mut places = locked(&self.places);
        // Looked at under the lock, so that none takes a place behind the back of who closes.
        if !self.closed.load(Ordering::Relaxed) {
            places.entry(of).or_default().push((ticket, sender));
        }
        drop(places);
        WaitHandle { places: Arc::clone(&self.places), of, ticket, comes: receiver }
    }

    fn notify(&self, of: TaskId, mut what: impl FnMut() -> T) {
        let waiting = locked(&self.places).remove(&of);
        for (_, sender) in waiting.into_iter().flatten() {
            // Who left does not want to know.
            drop(sender.send(what()));
        }
    }

    fn forget(&self, of: TaskId) {
        locked(&self.places).remove(&of);
    }

    fn close(&self) {
        let mut places = locked(&self.places);
        self.closed.store(true, Ordering::Relaxed);
        places.clear();
    }

    fn held(&self) -> usize {
        locked(&self.places).values().map(Vec::len).sum()
    }
}

/// What somebody waits for; nothing if it will not come any more. Dropped, it is waited for no longer.
#[derive(Debug)]
pub struct WaitHandle<T> {
    places: Places<T>,
    of: TaskId,
    ticket: u64,
    comes: oneshot::Receiver<T>,
}

impl<T> Future for WaitHandle<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.comes).poll(context).map(Result::ok)
    }
}

impl<T> Drop for WaitHandle<T> {
    fn drop(&mut self) {
        let mut places = locked(&self.places);
        let Some(waiting) = places.get_mut(&self.of) else { return };
        waiting.retain(|(ticket, _)| *ticket != self.ticket);
        if waiting.is_empty() {
            places.remove(&self.of);
        }
    }
}

/// Tickets tell those who wait for the same apart, and who came first.
fn next_ticket() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
