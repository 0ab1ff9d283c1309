//! The table of contents of all tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says where")]

mod api;
mod corpora;
mod store;
mod support;
mod tidy;
mod world;
