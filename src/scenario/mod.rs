//! Floor 6, rehearsals: processes that run against a scripted world in virtual time.

pub mod file;
pub mod shapes;
pub mod read;
pub mod diff;
pub mod compare;
pub mod request;
pub mod script;
pub mod cover;
pub mod story;
pub mod virtual_time;
pub mod director;
pub mod life;
pub mod simulation;
pub mod stage;
pub mod look;
pub mod play;
pub mod record;
