//! How long a task waits for room outside, and what becomes of it then: nobody waits in silence past the
//! moment at which one of its values needs a person.

use crate::engine::walk::Walk;
use crate::model::effect::EarlierUntil;
use crate::model::fault::Fault;
use crate::model::kind::NodeEvent;
use crate::model::task::{State, Task};
use crate::model::time::{Span, Timestamp};
use crate::process::process::Process;

/// So long a task waits even if one of its values needs a person already: most places have room by then. And
/// so long after its fault `no_room` it may ask again.
const GRACE: Span = Span::mins(1);

impl Walk<'_> {
    /// Nothing was asked: the task comes again when there is room, on the same visit and with the same try.
    /// If that is later than it can wait, it has the fault `no_room` at once.
    pub(super) fn no_room(&mut self, later: &EarlierUntil) {
        let place = self.scrubbed(&later.place);
        let (now, waited) = (self.now, self.task.awaits.is_some());
        // One that lies ahead is of a clock that was set back since.
        let since = self.task.awaits_since.filter(|it| waited && *it <= now).unwrap_or(now);
        if let Some((end, why)) = self.patience(since).filter(|(end, _)| *end < later.until) {
            let until = later.until;
            let message = format!("no room at {place} until {until}, and this task waits until {end}: {why}");
            let retry_after = Some(until.since(now).min(GRACE));
            return self.had_no_room(Fault { retry_after, ..Fault::passing("no_room", message) });
        }
        // A task that comes again and again tells it once.
        if !waited {
            self.event(&format!("waits for room at {place} until {}", later.until), |_| {});
        }
        self.task.awaits = Some(format!("room at {place}"));
        self.task.awaits_since = Some(since);
        self.task.state = State::Ready { at: later.until };
        match self.scope.paused {
            true => self.suspend(),
            false => self.reset_due(),
        }
    }

    /// Nothing was asked, for all places are taken, and its node lets the task wait no longer. Whatever its
    /// values are, a task waits: those whose values die first have the first places.
    pub(super) fn no_place(&mut self) {
        let State::Doing(_) = &self.task.state else { return };
        let node = self.process.node(&self.task.at);
        // A version deployed since may let it wait.
        let Some(time) = node.and_then(|it| it.kind.permit_timeout()) else { return self.held() };
        let message = format!("no place among all that is asked at once, for `permit_timeout: {time}`");
        self.had_no_room(Fault::passing("no_room", message));
    }

    fn had_no_room(&mut self, fault: Fault) {
        self.task.awaits = None;
        self.task.awaits_since = None;
        self.task.state = State::Ready { at: self.now };
        self.dispatch(NodeEvent::Answered(Err(fault)), "no room");
    }

    /// Until when a task waits for room that has waited since then, and why no longer; none if for ever. A
    /// value that is dead already is no reason: waiting does not make it worse.
    fn patience(&self, since: Timestamp) -> Option<(Timestamp, String)> {
        let node = self.process.node(&self.task.at);
        let own = node.and_then(|it| it.kind.permit_timeout());
        let own = own.map(|it| (since + it, format!("its node has `permit_timeout: {it}`")));
        let lives = self.process.expiries(&self.task.params);
        let alive = lives.into_iter().filter(|it| it.expires_at > self.now);
        let first = alive.min_by_key(|it| it.warn_at);
        let value = first.map(|it| {
            (it.warn_at.max(since + GRACE), format!("its `{}` dies at {}", it.param, it.expires_at))
        });
        [own, value].into_iter().flatten().min_by_key(|(end, _)| *end)
    }
}

/// How long its node lets a task wait for a place; none if for ever.
pub(super) fn place_timeout(process: &Process, task: &Task) -> Option<Span> {
    process.node(&task.at).and_then(|it| it.kind.permit_timeout())
}
