//! The table of contents.

mod corpora;
