//! Mail from the real binary to the mail servers of Debian.

mod office;
mod letters;
mod servers;
