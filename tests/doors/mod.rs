//! No value is changed in silence: whatever is handed in at a door is what the task has then, to the digit,
//! or it is refused with what is wrong, and nothing comes of it.

mod api;
mod bytes;
mod cli;
mod hooks;
mod partner;
mod raw;
mod values;
mod yaml;
