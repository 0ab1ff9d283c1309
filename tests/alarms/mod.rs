//! Alarms from end to end: ladders, acknowledging, storms, and channels that fail, with real HTTP to the
//! simulated providers.

mod scene;

mod acks;
mod health;
mod real;
mod storms;
mod watchdog;
