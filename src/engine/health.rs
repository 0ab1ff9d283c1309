//! [`Health`]: how the channels fare, by what became of their messages. In memory, shared by the world, which
//! hears it first, and the service, which keeps it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::model::fault::Fault;
use crate::model::time::Timestamp;

/// How one channel fares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelHealth {
    /// It delivered last at.
    pub delivered_at: Option<Timestamp>,
    /// It has delivered nothing since then; none while it works.
    pub failing_since: Option<Timestamp>,
    /// How many messages it has failed to deliver since, in a row.
    pub failures: u64,
    /// Why the last of them was not delivered.
    pub fault: Option<Fault>,
    /// Who is to be told is known by another name now.
    pub moved: Option<Moved>,
    /// From when on the next canary is counted: the last one, or when the channel was seen first.
    pub canary_at: Option<Timestamp>,
    /// What became of the last test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<Tested>,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// When.
    pub at: Timestamp,
    /// Whether it arrived.
    pub delivered: bool,
    /// What the provider said.
    pub detail: String,
}

/// What of a standing must be kept at once.
type Weighty<'a> = (Option<Timestamp>, Option<&'a Moved>, Option<Timestamp>, Option<&'a Tested>);

impl ChannelHealth {
    /// What must be kept at once: whether it fails, where it moved, when its canary sang, how its test went.
    pub fn weighty(&self) -> Weighty<'_> {
        (self.failing_since, self.moved.as_ref(), self.canary_at, self.tested.as_ref())
    }
}

/// A setting that the provider knows better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The setting.
    pub setting: String,
    /// What it is now.
    pub to: String,
}

/// How the channels fare, by name. A channel that was never used has no standing.
#[derive(Debug, Default)]
pub struct Health {
    all: Mutex<BTreeMap<String, ChannelHealth>>,
    changed: Notify,
}

impl Health {
    /// A channel delivered a message, or did not.
    pub fn heard(&self, channel: &str, fault: Option<&Fault>, now: Timestamp) {
        self.change(channel, |it| match fault {
            None => {
                let (moved, tested) = (it.moved.take(), it.tested.take());
                *it = ChannelHealth {
                    delivered_at: Some(now),
                    canary_at: it.canary_at,
                    moved,
                    tested,
                    ..ChannelHealth::default()
                };
            }
            Some(fault) => {
                it.failing_since = it.failing_since.or(Some(now));
                it.failures = it.failures.saturating_add(1);
                it.fault = Some(fault.clone());
            }
        });
    }

    /// The provider says where the person is now; none: where the settings say.
    pub fn moved(&self, channel: &str, moved: Option<Moved>) {
        if self.of(channel).moved != moved {
            self.change(channel, |it| it.moved = moved);
        }
    }

    /// The canary of a channel is counted from `at` on.
    pub fn canary(&self, channel: &str, at: Timestamp) {
        self.change(channel, |it| it.canary_at = Some(at));
    }

    /// A channel was tested.
    pub fn tested(&self, channel: &str, tested: Tested) {
        self.change(channel, |it| it.tested = Some(tested));
    }

    /// How that channel fares.
    pub fn of(&self, channel: &str) -> ChannelHealth {
        self.lock().get(channel).cloned().unwrap_or_default()
    }

    /// How all fare that were ever used.
    pub fn all(&self) -> BTreeMap<String, ChannelHealth> {
        self.lock().clone()
    }

    /// Takes what was kept of a channel.
    pub fn load(&self, channel: &str, standing: ChannelHealth) {
        self.change(channel, |it| *it = standing);
    }

    /// The channel is gone, or another now: what was known of it says nothing.
    pub fn forget(&self, channel: &str) {
        let known = self.lock().remove(channel).is_some();
        if known {
            measure(channel, &ChannelHealth::default());
        }
        self.changed.notify_one();
    }

    /// Returns when something has changed since the last return; for one who waits.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn change(&self, channel: &str, change: impl FnOnce(&mut ChannelHealth)) {
        let mut all = self.lock();
        let standing = all.entry(channel.to_owned()).or_default();
        change(standing);
        measure(channel, standing);
        drop(all);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ChannelHealth>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows it to whoever watches.
fn measure(channel: &str, standing: &ChannelHealth) {
    let name = || channel.to_owned();
    let failing = if standing.failing_since.is_some() { 1.0 } else { 0.0 };
    metrics::gauge!("beltline_channel_failing", "channel" => name()).set(failing);
    let since = standing.failing_since.map_or(0.0, seconds);
    metrics::gauge!("beltline_channel_failing_since_seconds", "channel" => name()).set(since);
    if let Some(at) = standing.delivered_at {
        metrics::gauge!("beltline_channel_delivered_seconds", "channel" => name()).set(seconds(at));
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 need no more than 52 bits")]
fn seconds(at: Timestamp) -> f64 {
    at.seconds() as f64
}
