//! Floor 6, the desk: every verb a person has. The rights are checked here.

pub mod actor;
pub mod refusal;
pub mod kept;
pub mod view;
pub mod hash;
#[expect(clippy::module_inception, reason = "the floor is named for what it is")]
pub mod desk;
pub mod orders;
pub mod submit;
pub mod look;
pub mod deploy;
pub mod shelves;
pub mod channels;
pub mod tokens;
pub mod processes;
pub mod files;
pub mod load;
pub mod templates;
pub mod manual;
pub mod cloning;
pub mod hooks;
pub mod status;
