//! The stores: one contract for all of them, all of them side by side, and what only one of them can get
//! wrong.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

pub(crate) mod make;
mod looks;
mod claims;
mod contract;
mod side_by_side;
pub(crate) mod sqlite;
mod damage;
mod renamed;
pub(crate) mod room;
