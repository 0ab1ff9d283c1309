//! The dashboard over real HTTP, as a browser asks: pages, forms, doors.

pub(crate) mod visitor;

mod doors;
mod forms;
mod one;
mod pages;
