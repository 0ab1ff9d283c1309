//! The REST API over real HTTP, with the real runner behind it.

mod deploying;
mod events;
mod hooks;
mod hooks_named;
mod orders;
mod rights;
mod shapes;
mod shelves;
mod tasks;
mod templates;
mod upstream;
