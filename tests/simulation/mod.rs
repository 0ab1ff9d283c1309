//! Whole universes in virtual time: their own clock, disk, partners and deaths. The same seed, the same universe.

pub mod edges;
pub mod partners;
pub mod portal;
pub mod universe;

mod deaths;
mod year;
