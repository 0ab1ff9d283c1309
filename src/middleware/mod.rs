//! Floor 7, the gate: what every request passes, whether a program or a browser sends it: who is at the other
//! end, which door they want, where their write comes from, and what every answer carries.

pub mod shares;
pub mod connections;
pub mod client;
pub mod routes;
pub mod headers;
pub mod origin;
pub mod live;
