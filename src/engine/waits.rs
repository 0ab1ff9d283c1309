//! What a task with a value that is about to die waits for, in words, and what a person can do. Pure.

use crate::engine::expiries::ExpiringValue;
use crate::model::task::Phase;
use crate::model::time::{Span, Timestamp};

/// A task that is so late was not looked at.
const LATE: Span = Span::mins(5);

/// What is known of how a task's process fares, beside where the task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that may keep a task")]
pub struct Around<'a> {
    /// It is deployed.
    pub is_deployed: bool,
    /// It rests.
    pub is_paused: bool,
    /// It has the node that the task stands on.
    pub has_node: bool,
    /// The task's effect has no place among all that is asked at once.
    pub waits_for_place: bool,
    /// There is no room on the disk for an answer, so nothing is asked.
    pub is_disk_full: bool,
    /// Why the store takes no writes; none if it does.
    pub store: Option<&'a str>,
}

/// What a task waits for, and what a person can do about it.
pub fn waits_for(living: &ExpiringValue, around: Around<'_>, now: Timestamp) -> (String, String) {
    let it = &living.standing;
    let (process, node) = (&living.address.process, &it.node);
    let show = format!("`beltline show {process} {}` tells more", it.shown);
    let on = format!("it stands on `{node}` since {}", it.since);
    if let Some(why) = around.store {
        let remedy = "nothing goes on before the store takes writes again: `beltline doctor` says what to do";
        return (format!("{on}, and the store takes no writes: {why}"), remedy.to_owned());
    }
    if !around.is_deployed {
        let remedy = format!("deploy it again: `beltline deploy {process}.yaml`");
        return (format!("{on}, and its process is not deployed"), remedy);
    }
    if around.is_paused {
        return (
            format!("{on}, and its process is paused"),
            format!("`beltline resume {process}` lets it go on"),
        );
    }
    if !around.has_node {
        let remedy = format!("`beltline move {process} {} NODE` puts it on a node that there is", it.shown);
        return (format!("{on}, and its process has no such node any more"), remedy);
    }
    let late = it.due.filter(|due| *due + LATE < now);
    match (it.phase, &it.awaits, it.due) {
        (Phase::Ready, Some(what), Some(due)) if late.is_none() => {
            (format!("{on} and waits for {what} until {due}"), show)
        }
        (Phase::Doing, ..) if around.waits_for_place && around.is_disk_full => {
            let remedy = "make room on the disk: what is asked for must be kept".to_owned();
            (format!("{on} and waits for room on the disk"), remedy)
        }
        (Phase::Doing, ..) if around.waits_for_place => {
            let remedy = "all places are taken: `beltline list` shows what is being asked, and for how long";
            (format!("{on} and waits for a place"), remedy.to_owned())
        }
        (Phase::Doing, ..) => (format!("{on} and asks, and has no answer yet"), show),
        (Phase::Ready | Phase::Waiting, _, _) if late.is_some() => {
            let remedy = "the engine is behind: `beltline doctor` says what keeps it".to_owned();
            (format!("{on} and should have gone on at {}", late.unwrap_or(now)), remedy)
        }
        (Phase::Waiting | Phase::Ready, _, Some(due)) => {
            let wake = format!("`beltline wake {process} {}` lets it try at once; {show}", it.shown);
            (format!("{on} and rests until {due}"), wake)
        }
        (Phase::Waiting | Phase::Ready, _, None) => {
            (format!("{on} and waits for a signal or a person"), show)
        }
        (Phase::Done | Phase::Failed | Phase::Cancelled, ..) => (format!("{on} and has ended"), show),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::expiries::ExpiringTask;
    use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};

    const HOUR: i64 = 3_600_000;

    fn living() -> ExpiringValue {
        let standing = ExpiringTask {
            shown: "a".to_owned(),
            node: NodeName::new("renew").unwrap(),
            since: Timestamp(0),
            phase: Phase::Ready,
            due: Some(Timestamp(9 * HOUR)),
            awaits: Some("room at `x`".to_owned()),
            alarm: None,
        };
        let address = Address { process: ProcessId::new("p").unwrap(), reference: Ref::new("a").unwrap() };
        ExpiringValue { id: TaskId(1), address, expiries: Vec::new(), standing, revision: 0 }
    }

    #[test]
    fn it_says_what_a_task_waits_for_and_what_to_do() {
        let well = Around {
            is_deployed: true,
            is_paused: false,
            has_node: true,
            waits_for_place: false,
            is_disk_full: false,
            store: None,
        };
        let said = |change: &dyn Fn(&mut ExpiringValue), around: Around<'_>| {
            let mut task = living();
            change(&mut task);
            let (why, remedy) = waits_for(&task, around, Timestamp(HOUR));
            format!("{why} | {remedy}")
        };
        let standing = |phase, due: Option<i64>| {
            move |it: &mut ExpiringValue| {
                it.standing.phase = phase;
                it.standing.due = due.map(Timestamp);
                it.standing.awaits = None;
            }
        };
        let same = |_: &mut ExpiringValue| {};
        for (said, says) in [
            (said(&same, well), "waits for room at `x` until 1970-01-01T09:00:00Z | `beltline show p a`"),
            (said(&same, Around { is_paused: true, ..well }), "paused | `beltline resume p`"),
            (said(&same, Around { is_deployed: false, ..well }), "not deployed | deploy it again"),
            (said(&same, Around { has_node: false, ..well }), "no such node any more | `beltline move p a"),
            (said(&same, Around { store: Some("disk full"), ..well }), "no writes: disk full | nothing"),
            (
                said(&standing(Phase::Doing, None), Around { waits_for_place: true, ..well }),
                "waits for a place | all places are taken",
            ),
            (
                said(
                    &standing(Phase::Doing, None),
                    Around { waits_for_place: true, is_disk_full: true, ..well },
                ),
                "waits for room on the disk | make room",
            ),
            (said(&standing(Phase::Doing, None), well), "asks, and has no answer yet | `beltline show"),
            (said(&standing(Phase::Waiting, None), well), "waits for a signal or a person | `beltline show"),
            (
                said(&standing(Phase::Waiting, Some(9 * HOUR)), well),
                "rests until 1970-01-01T09:00:00Z | `beltline wake",
            ),
            (
                said(&standing(Phase::Ready, Some(0)), well),
                "should have gone on at 1970-01-01T00:00:00Z | the engine",
            ),
        ] {
            assert!(said.contains(says), "{said}\nand not {says}");
        }
    }
}
