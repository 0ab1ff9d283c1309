//! A simulated Bitrix24 (portal and token server) and the providers that tell people, strict about codes,
//! rotation and failures. The state is pure (no clock, no I/O, seeded); a shell serves it over real HTTP
//! and SMTP.

pub mod answer;
pub mod bitrix;
pub mod chance;
pub mod config;
pub mod control;
pub mod counts;
pub mod deliver;
pub mod inbox;
pub mod listen;
pub mod mail;
pub mod notifiers;
pub mod portal;
pub mod request;
pub mod script;
pub mod server;
pub mod settings;
pub mod shared;
pub mod smtp;
pub mod smtp_session;
pub mod telegram;
pub mod token_server;
pub mod tokens;
pub mod troubles;
pub mod twilio;
