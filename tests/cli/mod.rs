//! The command line: the real binary, in folders of their own, on free ports.

pub(crate) mod place;
mod hands;
mod help;
mod config;
mod chains;
mod check;
mod tasks;
mod keeping;
mod metrics;
mod zones;
mod secrets;
mod unread;
mod each;
mod engine;
mod stopping;
mod damage;
mod deaths;
mod resources;
mod hooks;
mod memory;
mod connections;
mod installed;
mod demo;
