//! Floor 6, the desk: every verb a person has. The rights are checked here.

pub mod actor;
pub mod view;
pub mod refusal;
pub mod kept;
pub mod hash;
pub mod seen;
pub mod wakes;
#[expect(clippy::module_inception, reason = "the floor is named for what it is")]
pub mod desk;
pub mod orders;
pub mod submit;
pub mod look;
pub mod deploy;
pub mod shelves;
pub mod health;
pub mod canary;
pub mod channels;
pub mod watch;
pub mod tokens;
pub mod processes;
pub mod files;
pub mod load;
pub mod templates;
pub mod manual;
pub mod cloning;
pub mod hooks;
pub mod hooks_knock;
pub mod replays;
pub mod hooks_named;
pub mod acks;
pub mod lives;
pub mod lease;
pub mod status;
