//! The filters and tests of expressions: a row for each, with what it takes, what it is for and an example.

pub mod takes;
pub mod given;
pub mod spec;
pub mod texts;
pub mod format;
pub mod numbers;
pub mod lists;
pub mod maps;
pub mod codes;
pub mod patterns;
pub mod behind;
pub mod tests;
pub mod foreign;
pub mod methods;
pub mod all;
