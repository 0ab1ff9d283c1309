//! Floor 5, the engine: a pure core, the traits of the edges, and the runner between them.

pub mod retry;
pub mod mask;
pub mod transition;
pub mod anchor;
pub mod walk;
pub mod between;
mod room;
pub mod step;
pub mod health;
#[cfg(debug_assertions)]
pub mod broken;
pub mod shelf;
pub mod damage;
pub mod edges;
pub mod registry;
pub mod births;
pub mod lives;
pub mod watchdog;
pub mod waits;
pub mod alarms;
pub mod flow;
pub mod census;
pub mod waiters;
pub mod wall;
pub mod board;
pub mod again;
pub mod in_flight;
pub mod turns;
mod decide;
mod crowds;
mod settle;
mod places;
mod queue;
mod effects;
pub mod runner;
