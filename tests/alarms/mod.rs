//! Alarms from end to end: levels, acknowledging, bursts, and channels that fail, with real HTTP to the
//! simulated providers.

mod scene;

mod acks;
mod health;
mod real;
mod bursts;
mod watchdog;
