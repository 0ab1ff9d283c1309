//! [`NotificationBatcher`]: ten thousand tasks that fail alike are a handful of messages.
//!
//! The first message of a group goes out at once. Those that follow within a window are held, and go out as
//! one that counts them; each of the tasks takes what became of it as the answer to its own. A few are no
//! burst: each goes out as it is. While more come, the next window is twice as long, and half as long when
//! none came, so that a burst may take a breath. When the engine stops, what is held goes out at once.
//! Nothing here is durable: a task whose answer was not kept asks again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use futures::future::join_all;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::channels::words::one_line;
use crate::engine::ports::Clock;
use crate::model::effect::{Notification, NotificationSubject, Outcome};
use crate::model::fault::Fault;
use crate::model::time::{Span, Ticks};
use crate::outbound::clock::SystemClock;
use crate::outbound::deadline::left;
use crate::outbound::notifier::Notifier;

/// So many messages are no burst, and go out as they are: each may hold a link that only it has.
const FEW: usize = 3;
/// How many tasks a digest names.
const NAMED_MAX: usize = 10;
/// A name longer than that is cut.
const NAME_CHARS_MAX: usize = 60;
/// What is left for the digest itself, whatever was waited before.
const DIGEST_TIME: Span = Span::secs(30);

/// How long the messages of many tasks are gathered into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// After the first message of a group.
    pub wait: Span,
    /// At most, while the burst lasts. It is bounded by [`Grouping::MOST`].
    pub interval: Span,
}

impl Grouping {
    /// The longest window: with what the channels need after it, it must fit into the time of one effect.
    pub const MOST: Span = Span::mins(1);

    /// These windows, as far as they can be.
    pub fn new(wait: Span, interval: Span) -> Grouping {
        let interval = interval.min(Grouping::MOST);
        Grouping { wait: wait.min(interval), interval }
    }
}

impl Default for Grouping {
    fn default() -> Grouping {
        Grouping { wait: Span::secs(5), interval: Grouping::MOST }
    }
}

/// What messages must have in common to become one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Group {
    channels: Vec<String>,
    fallback: Vec<String>,
    all: bool,
    process: String,
    node: String,
    code: String,
    over: bool,
}

impl Group {
    fn of(ask: &Notification, about: &NotificationSubject) -> Group {
        Group {
            channels: ask.channels.clone(),
            fallback: ask.fallback.clone(),
            all: ask.all,
            process: about.process.to_string(),
            node: about.node.to_string(),
            code: about.code.clone(),
            over: about.over,
        }
    }
}

/// A message that waits for the end of the window.
struct Held {
    ask: Notification,
    key: String,
    since: Ticks,
    sender: oneshot::Sender<Outcome>,
}

/// Tells a person, once for many.
#[derive(Debug)]
pub struct NotificationBatcher {
    notifier: Arc<Notifier>,
    grouping: Grouping,
    groups: Groups,
    /// No window is waited for any more.
    hurry: CancellationToken,
}

/// What is held of each group whose window is open.
#[derive(Clone, Debug, Default)]
struct Groups(Arc<Mutex<HashMap<Group, Vec<Held>>>>);

impl std::fmt::Debug for Held {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Held").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, HashMap<Group, Vec<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the one that waits longest has waited.
    fn age(&self, group: &Group) -> Span {
        let groups = self.lock();
        let first = groups.get(group).and_then(|held| held.first());
        first.map(|it| SystemClock.ticks().since(it.since)).unwrap_or_default()
    }

    /// Takes what is held. If it is the `last` window, a group of which nothing is held is over.
    fn take(&self, group: &Group, last: bool) -> Vec<Held> {
        let mut groups = self.lock();
        let held = groups.get_mut(group).map(std::mem::take).unwrap_or_default();
        if held.is_empty() && last {
            groups.remove(group);
        }
        held
    }
}

impl NotificationBatcher {
    /// A notifier that gathers for as long as `grouping` says.
    pub fn new(notifier: Notifier, grouping: Grouping) -> NotificationBatcher {
        NotificationBatcher {
            notifier: Arc::new(notifier),
            grouping,
            groups: Groups::default(),
            hurry: CancellationToken::new(),
        }
    }

    /// Sends at once what is held, and gathers no longer than the message before takes.
    pub fn hurry(&self) {
        self.hurry.cancel();
    }

    /// Tells, within `timeout`, by itself or with others.
    ///
    /// # Errors
    /// As [`Notifier::tell`].
    pub async fn notify(&self, ask: &Notification, key: &str, timeout: Span) -> Outcome {
        let receiver = match &ask.about {
            Some(about) => self.join(Group::of(ask, about), ask, key, timeout),
            None => None,
        };
        match receiver {
            Some(receiver) => receiver.await.unwrap_or_else(|_| {
                Err(Fault::passing("not_delivered", "the message it was gathered into was lost"))
            }),
            // Ten thousand wait above, and few come here: what it needs is not kept for each.
            None => Box::pin(self.notifier.notify(ask, key, timeout)).await,
        }
    }

    /// Holds the message if its group's window is open, or opens the window behind it.
    fn join(
        &self,
        group: Group,
        ask: &Notification,
        key: &str,
        timeout: Span,
    ) -> Option<oneshot::Receiver<Outcome>> {
        let mut groups = self.groups.lock();
        match groups.get_mut(&group) {
            Some(held) => {
                let (sender, receiver) = oneshot::channel();
                held.push(Held { ask: ask.clone(), key: key.to_owned(), since: SystemClock.ticks(), sender });
                Some(receiver)
            }
            None => {
                groups.insert(group.clone(), Vec::new());
                drop(groups);
                let (notifier, groups) = (Arc::clone(&self.notifier), self.groups.clone());
                let window = Window { grouping: self.grouping, hurry: self.hurry.clone() };
                tokio::spawn(flush(notifier, groups, group, window, timeout));
                None
            }
        }
    }
}

/// How long is gathered, unless it is hurried.
struct Window {
    grouping: Grouping,
    hurry: CancellationToken,
}

impl Window {
    async fn wait(&self, time: Span) {
        tokio::select! {
            () = SystemClock.after(time) => {}
            () = self.hurry.cancelled() => {}
        }
    }
}

/// Sends what was held at the end of each window, until nothing was for a while.
async fn flush(notifier: Arc<Notifier>, groups: Groups, group: Group, it: Window, timeout: Span) {
    let grouping = it.grouping;
    let mut window = grouping.wait;
    loop {
        // Those that came while the last digest was on its way have waited already.
        it.wait(Span(window.0.saturating_sub(groups.age(&group).0))).await;
        let last = window <= grouping.wait;
        let held = groups.take(&group, last);
        if held.is_empty() {
            if last {
                return;
            }
            window = Span(window.0 / 2).max(grouping.wait);
            continue;
        }
        window = Span(window.0.saturating_mul(2)).min(grouping.interval);
        let left = held.first().map_or(timeout, |it| left(timeout, it.since)).max(DIGEST_TIME);
        let outcomes = if held.len() <= FEW {
            join_all(held.iter().map(|one| notifier.notify(&one.ask, &one.key, left))).await
        } else {
            tracing::info!(tasks = held.len(), process = group.process, "notified in one message");
            let (ask, key) = digest_of(&held);
            vec![notifier.notify(&ask, &key, left).await; held.len()]
        };
        for (one, outcome) in held.into_iter().zip(outcomes) {
            // Who gave up asks again.
            drop(one.sender.send(outcome));
        }
    }
}

/// One message for all of them, and its key.
fn digest_of(held: &[Held]) -> (Notification, String) {
    let mut hash = Sha256::new();
    for one in held {
        hash.update(&one.key);
        hash.update(&one.ask.serial);
        hash.update([0]);
    }
    let key = format!("digest-{}", BASE64.encode(hash.finalize()));
    let last = held.last().map(|it| it.ask.clone()).unwrap_or_default();
    let Some(about) = &last.about else { return (last, key) };
    let (process, node, many) = (&about.process, &about.node, held.len());
    let code = if about.code.is_empty() { String::new() } else { format!(": {}", about.code) };
    let subject = match about.over {
        true => format!("Beltline: {many} more tasks of {process} are well again"),
        false => format!("Beltline: {many} more tasks of {process} stand at {node}{code}"),
    };
    let first = match about.over {
        true => format!("{many} more tasks of {process} are well again, at {node}."),
        false => format!("{many} more tasks of {process} stand at {node}{code}."),
    };
    let mut lines = vec![first];
    if !about.over && !about.why.is_empty() {
        lines.push(format!("The last of them: {}", one_line(&about.why)));
    }
    let names = held.iter().rev().filter_map(|it| it.ask.about.as_ref());
    let names: Vec<String> = names.take(NAMED_MAX).map(|it| short(it.reference.as_str())).collect();
    let rest = if many > names.len() { ", …" } else { "" };
    lines.push(format!("The newest: {}{rest}", names.join(", ")));
    lines.push(format!("All of them: {}", about.see));
    let ask = Notification { subject, text: lines.join("\n"), serial: String::new(), ..last };
    (ask, key)
}

fn short(name: &str) -> String {
    let line = one_line(name);
    match line.char_indices().nth(NAME_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
