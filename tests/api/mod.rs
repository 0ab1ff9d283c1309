//! The REST API over real HTTP, with the real runner behind it.

mod tasks;
