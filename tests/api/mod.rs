//! The REST API over real HTTP, with the real runner behind it.

mod deploying;
mod events;
mod heavy;
mod hooks;
mod input;
mod hooks_named;
mod lease;
mod openapi;
mod readers;
mod orders;
mod pace;
mod rights;
mod room;
mod shapes;
mod collections;
mod tasks;
mod travel;
mod urgent;
mod templates;
mod waiting;
mod settling;
mod ready;
pub(crate) mod upstream;
