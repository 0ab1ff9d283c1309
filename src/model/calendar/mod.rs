//! Calendars: time zones and their tables, cron expressions, what they plan, and
//! moments as they are given.

pub mod zone;
pub mod moment;
pub mod civil;
pub mod cron_text;
pub mod cron;

#[cfg(test)]
pub mod cron_tests;
