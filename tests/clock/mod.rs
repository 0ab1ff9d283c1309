//! The real binary and time: paused, and under a wall clock that is set.

mod partner;
mod paused;
mod set;
