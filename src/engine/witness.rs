//! [`Witness`]: which tasks were being decided when this process died. It outlives the process, so that a
//! task under which it died twice is set aside instead of being decided a third time.
//!
//! A decision is foreign code, too: expressions, texts, calendars. What they cost is bounded, and a panic is
//! caught; this is for what neither can catch, as the end of memory or of a stack.

use std::fmt;

use crate::model::names::TaskId;

/// Under how many of its decisions the engine may die before a task is set aside.
pub const DEATHS_MAX: u32 = 2;

/// Where a decision is made. Each place has one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WitnessPlace {
    /// Those of a batch, one after the other: it is not known which was under way.
    Batch,
    /// One alone, as the engine died under it before.
    Alone,
    /// One that takes long, on the lane of that number.
    Lane(usize),
}

/// Keeps which tasks are being decided.
pub trait Witness: Send + Sync + fmt::Debug {
    /// From now on these are decided at that place, and none of those before.
    fn begin(&self, place: WitnessPlace, tasks: &[TaskId]);
    /// Under how many decisions of that task the engine has died since it was decided last.
    fn deaths(&self, task: TaskId) -> u32;
    /// The task is decided.
    fn survived(&self, task: TaskId);
    /// The engine ends in good order: nothing is being decided any more.
    fn rest(&self);
}

/// Nobody: for a store that does not outlive the process either.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwitnessed;

impl Witness for Unwitnessed {
    fn begin(&self, _: WitnessPlace, _: &[TaskId]) {}
    fn deaths(&self, _: TaskId) -> u32 {
        0
    }
    fn survived(&self, _: TaskId) {}
    fn rest(&self) {}
}
