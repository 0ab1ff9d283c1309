//! The heart, as tables: a process and what happens to a task of it, and what the step makes of that in
//! short lines.

mod law;
mod table;
mod bench;
mod cases;
mod commons;
mod delays;
mod faults;
mod heads;
mod http;
mod levels;
mod limits;
mod scene;
mod together;
mod chains;
mod mishaps;
