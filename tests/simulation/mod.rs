//! Whole universes in virtual time: their own clock, disk, partners and deaths. The same seed, the same
//! universe.

pub(crate) mod edges;
pub(crate) mod ledger;
pub(crate) mod partners;
pub(crate) mod portal;
pub(crate) mod universe;

mod batching;
mod backlogs;
mod deaths;
pub(crate) mod dice;
mod faults;
mod names;
mod oracle;
mod plans;
mod fan_outs;
mod seeds;
mod trial;
mod year;
