//! Floor 7, REST: the way in for programs. No rule of the domain is here; it speaks to the desk.

pub mod problem;
pub mod body;
pub mod app;
pub mod take;
pub mod doors;
pub mod answers;
pub mod routes;
pub mod processes;
pub mod schedules;
pub mod templates;
pub mod submission;
pub mod many;
pub mod tasks;
pub mod orders;
pub mod shelves;
pub mod people;
pub mod events;
pub mod status;
pub mod pages;
pub mod hooks_named;
pub mod hooks;
pub mod acks;
pub mod router;
pub mod tls;
pub mod serve;
