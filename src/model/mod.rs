//! Floor 1, the words of the house. No I/O, no async, no clock, no chance.

pub mod names;
pub mod time;
pub mod calendar;
pub mod steps;
pub mod marks;
pub mod forms;
pub mod params;
pub mod fault;
pub mod budget;
pub mod carried;
pub mod entry;
pub mod faults_request;
pub mod faults_value;
pub mod faults_task;
pub mod faults_person;
pub mod faults;
pub mod rate;
pub mod hosts;
pub mod header;
pub mod xml;
pub mod charset;
pub mod unpack;
pub mod json;
pub mod retry_after;
pub mod near;
pub mod charset_name;
pub mod effect;
pub mod fan_out;
pub mod descent;
pub mod task;
pub mod signal;
pub mod key;
pub mod bounds;
pub mod taint;
pub mod reach;
pub mod scope;
#[cfg(test)]
pub mod example;
pub mod mistake;
pub mod uses;
pub mod look;
pub mod helpers;
pub mod helper_names;
pub mod scan;
pub mod placeholder;
pub mod tags;
pub mod makers;
pub mod lookup;
pub mod blocks;
pub mod text;
pub mod syntax;
pub mod decides;
pub mod bridge;
pub mod costs;
pub mod contains;
pub mod pattern;
pub mod memo;
pub mod filters;
pub mod rewrite;
pub mod calls;
pub mod jinja;
pub mod slip;
pub mod expr;
pub mod value;
pub mod list;
pub mod tree;
pub mod wrong;
pub mod read;
pub mod kind;

#[cfg(test)]
pub mod text_tests;
#[cfg(test)]
pub mod budget_tests;
#[cfg(test)]
pub mod language_tests;
#[cfg(test)]
pub mod filters_tests;
