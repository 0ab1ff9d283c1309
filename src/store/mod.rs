//! Floor 6, what keeps. To add a store: write its file, and add its line to the contract's list.
//!
//! A store only keeps; no rule of the engine lives here. What every keeper does by itself is in [`keeping`].

#[cfg(debug_assertions)]
pub mod broken;
pub mod seal;
pub mod witness;
pub mod keeping;
mod leases;
pub mod memory;
mod rows;
mod ballast;
mod renames;
mod sqlite_reword;
mod sqlite_schema;
mod sqlite_batch;
mod sqlite_apart;
mod sqlite_writer;
mod sqlite_read;
mod sqlite_check;
pub mod sqlite;
