//! The real binary behind real proxies, each set up with the very lines that the manual shows.

pub(crate) mod front;
mod pages;
mod events;
mod methods;
mod each;
