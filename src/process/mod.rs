//! Floor 4, from YAML text to a checked process.

pub mod problem;
pub mod scalar;
pub mod yaml;
#[expect(clippy::module_inception, reason = "the floor is named for what it makes")]
pub mod process;
