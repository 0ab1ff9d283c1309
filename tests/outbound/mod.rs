//! What performs, over real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod servers;

mod channels;
mod charsets;
mod clock;
mod certificates;
mod grants;
mod guard;
mod loads;
mod http;
mod mail;
mod pace;
mod pages;
mod providers;
mod redirects;
mod rooms;
mod secrets;
mod notify;
mod unread;
