//! The dashboard over real HTTP, as a browser asks: pages, forms, doors.

mod visitor;

mod doors;
mod forms;
mod pages;
