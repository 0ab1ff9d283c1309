//! Only the simulation.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says where")]
#![expect(dead_code, reason = "x")]
mod simulation;
