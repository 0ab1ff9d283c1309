//! Floor 7, the dashboard: the way in for people with a browser. Pages are made here, whole and readable
//! without any script; a little script of our own keeps them fresh. No rule of the domain is here; it speaks
//! to the service.

pub mod words;
pub mod words_of;
pub mod words_ru;
pub mod assets;
pub mod show;
pub mod difference;
pub mod links;
pub mod chart;
pub mod picture;
pub mod dash;
pub mod markdown;
pub mod locale;
pub mod page;
pub mod take;
pub mod routes;
pub mod doors;
pub mod language;
pub mod login;
pub mod setup;
pub mod account;
pub mod users;
pub mod tokens;
pub mod audit;
pub mod form;
pub mod home;
pub mod process;
pub mod edit;
pub mod changes;
pub mod copy;
pub mod upstream;
pub mod add;
pub mod history;
pub mod task;
pub mod fault;
pub mod manual;
pub mod commands;
pub mod templates;
pub mod channels;
pub mod secrets;
pub mod vars;
pub mod about;
pub mod search;
pub mod events;
pub mod router;
