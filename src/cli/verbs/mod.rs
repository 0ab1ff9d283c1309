//! The verbs, one a file.

pub mod check;
pub mod graph;
pub mod schema;
pub mod explain;
pub mod templates;
pub mod deploy;
pub mod processes;
pub mod submit;
pub mod list;
pub mod show;
pub mod get;
pub mod orders;
pub mod tail;
pub mod channel;
pub mod secret;
pub mod var;
pub mod token;
pub mod config;
pub mod doctor;
pub mod completions;
pub mod run;
pub mod demo;
pub mod sim;
pub mod bench;
