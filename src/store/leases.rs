//! [`Leases`]: which tasks are claimed, until when and under which epoch, in a store that one program alone
//! has open. They are in memory only: when that program dies, nobody holds anything any more.

use std::collections::HashMap;

use crate::model::names::TaskId;
use crate::model::time::{Span, Timestamp};

/// When the lease of a task ends that is set aside.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// The claims that are not committed yet.
#[derive(Debug, Default)]
pub(super) struct Leases(HashMap<TaskId, Lease>);

#[derive(Clone, Copy, Debug)]
struct Lease {
    until: Timestamp,
    epoch: u64,
}

impl Leases {
    /// Claims a task whose row says `epoch`; gives the epoch it is claimed under.
    pub(super) fn take(&mut self, id: TaskId, epoch: u64, until: Timestamp) -> u64 {
        let epoch = self.epoch(id).map_or(epoch, |claimed| claimed.max(epoch)) + 1;
        self.0.insert(id, Lease { until, epoch });
        epoch
    }

    /// Nobody is to claim that task.
    pub(super) fn set_aside(&mut self, id: TaskId) {
        self.take(id, 0, NEVER);
    }

    /// Whether somebody holds that task at `now`.
    pub(super) fn holds(&self, id: TaskId, now: Timestamp) -> bool {
        self.0.get(&id).is_some_and(|lease| lease.until > now)
    }

    /// The epoch under which that task was claimed last, if it was not committed since.
    pub(super) fn epoch(&self, id: TaskId) -> Option<u64> {
        self.0.get(&id).map(|lease| lease.epoch)
    }

    /// The task was committed under `epoch`. A later claim of it goes on.
    pub(super) fn end(&mut self, id: TaskId, epoch: u64) {
        if self.epoch(id) == Some(epoch) {
            self.0.remove(&id);
        }
    }

    /// The wall clock was set back by `by`: what was to end after a time ends after that time all the same.
    pub(super) fn pull(&mut self, by: Span) {
        for lease in self.0.values_mut().filter(|lease| lease.until < NEVER) {
            lease.until = lease.until - by;
        }
    }

    /// All who held something are gone.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// When the first of them ends.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.0.values().map(|lease| lease.until).filter(|until| *until < NEVER).min()
    }

    /// Whether that task is claimed, be the lease over or not.
    pub(super) fn knows(&self, id: TaskId) -> bool {
        self.0.contains_key(&id)
    }
}
