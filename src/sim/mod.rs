//! A simulated Bitrix24 (portal and token server) and the providers that tell people, strict about codes,
//! rotation and failures. The state is pure (no clock, no I/O, seeded); a shell serves it over real HTTP
//! and SMTP.

pub mod answer;
pub mod bitrix;
pub mod chance;
pub mod counts;
pub mod portal;
pub mod request;
pub mod script;
pub mod settings;
pub mod token_server;
pub mod tokens;
pub mod troubles;
