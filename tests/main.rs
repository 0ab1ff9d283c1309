//! The table of contents of all tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says where")]

mod corpora;
mod store;
mod tidy;
mod world;
