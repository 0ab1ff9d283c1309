//! Whole universes in virtual time: their own clock, disk, partners and deaths. The same seed, the same
//! universe.

pub(crate) mod edges;
pub(crate) mod ledger;
pub(crate) mod partners;
pub(crate) mod portal;
pub(crate) mod universe;

mod crowds;
mod deaths;
mod rounds;
mod year;
