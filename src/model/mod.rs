//! Floor 1, the words of the house. No I/O, no async, no clock, no chance.

pub mod names;
pub mod time;
pub mod params;
pub mod fault;
pub mod effect;
pub mod task;
pub mod key;
pub mod scope;
pub mod mistake;
pub mod expr;
pub mod text;
pub mod value;
pub mod near;
pub mod tree;
pub mod wrong;
pub mod read;
pub mod kind;
