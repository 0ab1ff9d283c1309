//! The table of contents.

mod world;
