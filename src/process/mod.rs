//! Floor 4, from YAML text to a checked process.

pub mod hook;
pub mod schedule;
pub mod flow;
pub mod problem;
#[expect(clippy::module_inception, reason = "the floor is named for what it makes")]
pub mod process;
pub mod scalar;
pub mod yaml;
pub mod file;
pub mod hook_shape;
pub mod schedule_shape;
pub mod hook_proof;
pub mod hook_body;
pub mod hook_fill;
pub mod schedule_fill;
pub mod parsed;
pub mod named;
pub mod flows_in;
pub mod check_params;
pub mod check_texts;
pub mod check_slips;
pub mod check_ways;
pub mod check_hooks;
pub mod check_schedule;
pub mod check;
pub mod parse;
pub mod secret_flow;
pub mod expiry;
pub mod validate;
pub mod graph;
pub mod layers;
pub mod layout;
pub mod svg;
pub mod schema;

#[cfg(test)]
pub mod sample;
#[cfg(test)]
pub mod yaml_tests;
#[cfg(test)]
pub mod hook_tests;
#[cfg(test)]
pub mod schedule_tests;
#[cfg(test)]
pub mod tests;
