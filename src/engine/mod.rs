//! Floor 5, the engine: a pure core, the traits of the edges, and the runner between them.

pub mod transition;
pub mod shelf;
pub mod edges;
