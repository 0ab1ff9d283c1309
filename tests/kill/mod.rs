//! The real binary, killed with SIGKILL: in the middle of load, and in the middle of a renewal.

pub(crate) mod partner;
mod load;
mod renewal;
