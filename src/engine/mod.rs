//! Floor 5, the engine: a pure core, the traits of the edges, and the runner between them.

pub mod retry;
pub mod mask;
pub mod transition;
pub mod anchor;
pub mod walk;
pub mod step;
pub mod health;
pub mod shelf;
pub mod edges;
pub mod registry;
pub mod births;
pub mod lives;
pub mod alarms;
pub mod flow;
pub mod wall;
pub mod board;
pub mod in_flight;
pub mod turns;
mod crowds;
mod settle;
mod places;
mod queue;
mod effects;
pub mod runner;
