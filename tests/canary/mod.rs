//! A secret appears nowhere but in the request it is meant for: one story through the real binary, in which
//! every secret is a canary, everything that can fail with one fails, and then every place is looked at.

mod canaries;
mod echo;
mod mine;
mod story;
