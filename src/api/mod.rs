//! Floor 7, REST: the way in for programs. No rule of the domain is here; it speaks to the service.

pub mod problem;
pub mod body;
pub mod app;
pub mod take;
pub mod auth;
pub mod answers;
pub mod routes;
pub mod processes;
pub mod schedules;
pub mod templates;
pub mod submission;
pub mod many;
pub mod tasks;
pub mod commands;
pub mod collections;
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
