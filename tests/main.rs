//! The table of contents of all tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says where")]

mod alarms;
mod api;
mod browser;
mod canary;
mod cli;
mod clock;
mod doors;
mod corpora;
mod kill;
mod mail;
mod people;
mod proxies;
mod readme;
mod schedule;
mod scenario;
mod runner;
mod dashboard;
mod flow;
mod simulation;
mod step;
mod store;
mod templates;
mod torture;
mod support;
mod tidy;
mod outbound;
mod yaml;
