//! The table of contents.

mod store;
