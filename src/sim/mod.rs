//! A simulated Bitrix24 (portal and token server) and the providers that tell people, strict about codes,
//! rotation and failures. The state is pure (no clock, no I/O, seeded); a shell serves it over real HTTP
//! and SMTP.

pub mod answer;
pub mod chance;
pub mod counts;
pub mod inbox;
pub mod mail;
pub mod request;
pub mod script;
pub mod telegram;
pub mod tokens;
pub mod settings;
pub mod troubles;
pub mod bitrix;
pub mod portal;
pub mod events;
pub mod habits;
pub mod oauth2;
pub mod token_server;
pub mod twilio;
pub mod messagebird;
pub mod unisender;
pub mod mandrill;
pub mod webhook;
pub mod notifiers;
pub mod shared;
pub mod config;
pub mod deliver;
pub mod poster;
pub mod control;
pub mod listen;
pub mod smtp_session;
pub mod smtp;
pub mod server;
