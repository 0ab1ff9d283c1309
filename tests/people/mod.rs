//! People: who comes in, what they may do, how long, and what is noted of it.

mod acting;
mod audit;
mod headers;
mod login;
mod matrix;
mod serve;
mod sessions;
mod users;
