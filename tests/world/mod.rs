//! What performs, over real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod logs;
mod servers;

mod channels;
mod clock;
mod guard;
mod http;
mod mail;
mod providers;
mod redirects;
mod secrets;
mod tell;
