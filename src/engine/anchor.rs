//! The moments of a task are by the clock as it went when they were written. Here they are moved along with
//! the steps that the clock has made since, before anything is decided by them. Pure.
//!
//! What was a length of time when it was written (a `for`, a pause before the next try, the timeout of a
//! call, the time between two reminders) ends so long after its beginning, however the clock was set. What
//! was a moment (`until`, `cron`) stays that moment.

use std::sync::Arc;

use crate::model::fan_out::{FanOut, HandedOut};
use crate::model::steps::{CORRECTION, Steps};
use crate::model::task::{Alarm, State, Task};
use crate::model::time::Timestamp;
use crate::process::process::Process;

/// Moves the moments of a task along with the steps it has not heard of.
pub(super) fn anchor(task: &mut Task, process: &Process, steps: &Steps, now: Timestamp) {
    let by_ms = steps.since(task.clock);
    task.clock = steps.many;
    if task.revision == 0 {
        // One that was never stepped is ready since it was born, whatever the clock said then.
        if let State::Ready { at } = &mut task.state {
            *at = now.min(*at);
        }
        return;
    }
    if by_ms == 0 {
        return;
    }
    let is_fixed = process.node(&task.at).is_some_and(|node| node.kind.waits_for_a_moment());
    match &mut task.state {
        // What was planned by a clock that was so wrong is planned anew.
        State::Waiting { until: Some(_) } if is_fixed => {
            if by_ms < 0 && by_ms.unsigned_abs() > CORRECTION.0 {
                task.state = State::Ready { at: now };
            }
        }
        State::Ready { at } | State::Waiting { until: Some(at) } => *at = at.moved(by_ms),
        State::Waiting { until: None } | State::Doing(_) | State::Done | State::Failed | State::Cancelled => {
        }
    }
    task.since = task.since.moved(by_ms);
    task.awaits_since = task.awaits_since.map(|it| it.moved(by_ms));
    task.kept_until = task.kept_until.map(|it| it.moved(by_ms));
    task.alarm = task.alarm.take().map(|alarm| anchored(alarm, by_ms));
    task.fan_out = task.fan_out.take().map(|fan_out| Arc::new(fan_out_anchored(&fan_out, by_ms)));
}

fn anchored(alarm: Alarm, by_ms: i64) -> Alarm {
    Alarm {
        since: alarm.since.moved(by_ms),
        notified_at: alarm.notified_at.map(|it| it.moved(by_ms)),
        level_notified_at: alarm.level_notified_at.map(|it| it.moved(by_ms)),
        ..alarm
    }
}

fn fan_out_anchored(fan_out: &FanOut, by_ms: i64) -> FanOut {
    let out = fan_out.out.iter().map(|out| HandedOut { until: out.until.map(|it| it.moved(by_ms)), ..*out });
    FanOut { out: out.collect(), ..fan_out.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::descent::Descent;
    use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
    use crate::model::steps::ClockStep;
    use crate::model::task::{Birth, Seed};
    use crate::model::time::Span;
    use crate::process::parse::parse;

    const TEXT: &str = "process: p\nnodes:\n  start: {kind: input, next: for}\n  \
                        for: {kind: delay, for: 1h, next: until}\n  \
                        until: {kind: delay, until: \"2030-01-01T00:00:00Z\", next: cron}\n  \
                        cron: {kind: delay, cron: \"0 9 * * *\", next: out}\n  out: {kind: end}\n";
    const NOW: Timestamp = Timestamp(1_000_000_000);

    /// A task that waits on that node for an hour more, after steps of the clock.
    fn after(node: &str, steps_ms: &[i64]) -> Task {
        let birth = Birth { id: TaskId(1), seed: Seed([0; 16]), descent: Descent::default() };
        let address = Address { process: ProcessId::new("p").unwrap(), reference: Ref::new("r").unwrap() };
        let params = serde_json::from_value(json!({})).unwrap();
        let mut task = Task::new(birth, address, NodeName::new(node).unwrap(), params, NOW);
        task.revision = 1;
        task.state = State::Waiting { until: Some(NOW + Span::hours(1)) };
        let mut steps = Steps::default();
        for by_ms in steps_ms {
            steps.add(ClockStep { at: NOW, by_ms: *by_ms });
        }
        anchor(&mut task, &parse(TEXT).unwrap(), &steps, NOW);
        assert_eq!(task.clock, steps.many);
        let moved = task.clone();
        anchor(&mut task, &parse(TEXT).unwrap(), &steps, NOW);
        assert_eq!(task, moved, "what it has heard of does not move it again");
        task
    }

    fn until(task: &Task) -> i64 {
        let State::Waiting { until: Some(until) } = task.state else { panic!("{:?}", task.state) };
        until.0 - NOW.0
    }

    #[test]
    fn a_length_of_time_moves_along_and_a_moment_stays() {
        for steps in [&[30_000][..], &[-7_200_000], &[30_000, -7_200_000, 5_000]] {
            let sum: i64 = steps.iter().sum();
            let task = after("for", steps);
            assert_eq!((until(&task), task.since), (3_600_000 + sum, NOW.moved(sum)));
            assert_eq!(until(&after("until", steps)), 3_600_000);
            assert_eq!(until(&after("cron", steps)), 3_600_000);
        }
    }

    #[test]
    fn one_that_was_born_in_the_future_is_ready_now() {
        let mut task =
            Task { revision: 0, state: State::Ready { at: NOW + Span::days(9) }, ..after("for", &[]) };
        anchor(&mut task, &parse(TEXT).unwrap(), &Steps::default(), NOW);
        assert_eq!(task.state, State::Ready { at: NOW });
    }

    #[test]
    fn what_a_clock_planned_that_was_far_ahead_is_planned_anew() {
        for node in ["until", "cron"] {
            assert_eq!(after(node, &[-86_400_000]).state, State::Ready { at: NOW });
        }
    }
}
