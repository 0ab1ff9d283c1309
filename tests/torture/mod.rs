//! Torture: the real binary does its work on one ledger workload while everything around it fails. What was
//! acknowledged must be there and right at the end, what was asked must be asked once, and no pair of tokens
//! that was received may be lost. `tests/torture/run` runs all rows and writes their table.

mod pulse;
mod outside;
mod tokens;
mod story;
mod life;
mod judge;
pub(crate) mod tally;
mod disk;
mod scene;
mod kills;
mod terms;
mod power;
mod full;
mod freezes;
mod strikes;
mod replaced;
mod damage;
mod clocks;
mod hostile;
mod restart;
mod table;
mod switches;
mod unread;
