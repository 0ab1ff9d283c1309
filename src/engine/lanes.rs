//! Where a step is made: here, with word left of it in case the process dies of it; or on a lane, if it takes
//! long.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::engine::again::StepMode;
use crate::engine::batch::{BatchProcessor, Work, WorkItem};
use crate::engine::ports::Write;
use crate::engine::runtime_state::Aside;
use crate::engine::witness::{DEATHS_MAX, WitnessPlace};
use crate::model::bounds::Reads;
use crate::model::budget::heaviest;
use crate::model::fault::Fault;
use crate::model::names::{Address, NodeName, ProcessId, TaskId};
use crate::model::scope::{Other, ReadSet};
use crate::model::time::{Span, Timestamp};

/// What takes so long to decide is told of.
const SLOW: Span = Span(250);

/// What came of trying to step a task.
pub(super) enum Tried {
    Decided(Work, Box<Write>),
    Fetch(Work, BTreeSet<Address>),
    /// It takes longer than may be spent here.
    Heavy(Work),
    Dropped,
}

/// What all steps of one batch see.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) facts: ReadSet,
    pub(super) others: Arc<HashMap<Address, Other>>,
    pub(super) reads: Reads,
    pub(super) now: Timestamp,
}

impl BatchProcessor {
    /// Leaves word of what is about to be decided here, in case the process dies of it. Not of what is new:
    /// that dies with the process, and nobody decides it again.
    pub(super) fn testify(&self, open: &[Work], apart: Option<&Arc<BatchProcessor>>) {
        if apart.is_none() {
            let kept = open.iter().filter(|it| !it.is_new());
            let tasks: Vec<TaskId> = kept.filter_map(Work::life).map(|(id, _)| id).collect();
            self.witness.begin(WitnessPlace::Batch, &tasks);
        }
    }

    /// Steps one here; alone, if the engine died under it before.
    pub(super) fn step_here(&self, item: Work, seen: &Seen) -> Tried {
        let suspect = item.life().map(|(id, _)| id).filter(|id| self.witness.deaths(*id) > 0);
        let Some(id) = suspect else { return self.try_step(item, seen, true) };
        self.witness.begin(WitnessPlace::Alone, &[id]);
        let tried = self.try_step(item, seen, true);
        self.witness.begin(WitnessPlace::Alone, &[]);
        if matches!(tried, Tried::Decided(..)) {
            self.witness.survived(id);
        }
        tried
    }

    /// Steps one on a lane.
    pub(super) async fn step_apart(self: &Arc<Self>, item: Work, seen: &Seen) -> Tried {
        let (processor, seen) = (Arc::clone(self), seen.clone());
        let step = move |lane| {
            let (tasks, place) = (item.life().map(|(id, _)| vec![id]).unwrap_or_default(), item.place());
            let begun = processor.clock.ticks();
            processor.witness.begin(WitnessPlace::Lane(lane), &tasks);
            let (tried, worst) = heaviest(|| processor.try_step(item, &seen, false));
            processor.witness.begin(WitnessPlace::Lane(lane), &[]);
            if matches!(tried, Tried::Decided(..)) {
                for id in tasks {
                    processor.witness.survived(id);
                }
            }
            log_slow(processor.clock.ticks().since(begun), place, worst);
            tried
        };
        self.apart.step(step).await
    }

    /// A task under which the engine died twice is not tried a third time: it ends here, and a person may
    /// retry it.
    pub(super) fn set_aside(&self, hand: &mut WorkItem) {
        let task = &hand.task;
        if matches!(hand.again.way, StepMode::Whole) && self.witness.deaths(task.id) >= DEATHS_MAX {
            tracing::error!(
                process = %task.process, node = %task.at, task = %task.address(),
                "the engine died twice while it decided this task, which is set aside; hint: look at \
                 what its node works out, then retry it"
            );
            metrics::counter!("beltline_set_aside_total").increment(1);
            let message = format!(
                "the engine died twice while it decided this task at node `{}`; it is set aside, and can be \
                 retried",
                task.at
            );
            let aside = Aside { id: task.id, address: task.address(), node: task.at.clone() };
            self.state.set_aside(aside);
            hand.again.way = StepMode::End(Fault::lasting("engine_error", message));
        }
    }
}

/// Says of what was decided apart that it was slow.
fn log_slow(took: Span, place: Option<(ProcessId, NodeName)>, worst: Option<String>) {
    metrics::histogram!("beltline_evaluation_seconds").record(took.duration().as_secs_f64());
    let Some((process, node)) = place.filter(|_| took >= SLOW) else { return };
    let (of, at) = (process.to_string(), node.to_string());
    metrics::counter!("beltline_slow_evaluations_total", "process" => of, "node" => at).increment(1);
    let expression = worst.unwrap_or_default();
    tracing::warn!(
        %process, %node, %took, expression,
        "what this node works out takes long; hint: filter earlier, or let an `each` do it item by item"
    );
}
