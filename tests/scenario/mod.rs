//! Rehearsals: scenarios of our own templates, and what is told of those that are wrong.

mod ours;
mod record;
mod told;
mod year;
