//! What performs, over real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod servers;

mod channels;
mod clock;
mod guard;
mod http;
mod mail;
mod redirects;
mod secrets;
mod tell;
