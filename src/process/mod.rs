//! Floor 4, from YAML text to a checked process.

#[expect(clippy::module_inception, reason = "the floor is named for what it makes")]
pub mod process;
