//! What performs, over real sockets on loopback.

mod servers;

mod channels;
mod clock;
mod guard;
mod http;
mod mail;
mod redirects;
mod secrets;
mod tell;
