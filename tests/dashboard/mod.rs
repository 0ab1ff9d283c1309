//! The dashboard over real HTTP, as a browser asks: pages, forms, doors.

pub(crate) mod timeline;
pub(crate) mod visitor;

mod channels;
mod doors;
mod forms;
pub(crate) mod home;
mod manual;
mod one;
mod pages;
mod secrets;
