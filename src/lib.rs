//! The map.

pub mod sim;
