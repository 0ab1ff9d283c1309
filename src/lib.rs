//! Beltline runs processes: YAML files of named nodes through which tasks move, durably. The journeys of a
//! submit, an effect and a hook, and how to add something, are in the `README.md` beside this file.
//!
//! The floors, lowest first; a module imports only from the ones above it in this list:
//!
//! 1. [`model`]: the words. Pure: no I/O, no async, no clock, no chance.
//! 2. [`channels`]: how to tell a person. Pure.
//! 3. [`nodes`]: one kind of node a file. Pure.
//! 4. [`process`]: from YAML to a checked process. Pure.
//! 5. [`engine`]: the pure `step`, its ports as traits, and the runner between them.
//! 6. [`store`], [`outbound`], [`sim`], [`service`], [`scenario`]: what keeps, what performs, what is asked
//!    in tests, every verb a person has, and processes in virtual time.
//! 7. [`middleware`]: what every request passes.
//! 8. [`api`], [`dashboard`], [`cli`]: the ways in. They hold no rule of the domain.

pub mod model;
pub mod channels;
pub mod nodes;
pub mod process;
pub mod engine;
pub mod store;
pub mod outbound;
pub mod sim;
pub mod service;
pub mod scenario;
pub mod middleware;
pub mod api;
pub mod dashboard;
pub mod cli;
