//! Schedules: each planned time makes one task, whatever the night, the clock or the machine does.

mod hands;
mod kills;
mod nights;
mod policies;
mod times;
