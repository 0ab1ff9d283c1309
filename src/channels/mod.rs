//! Floor 2, the channels. To add one: write its file, and add its line to [`CHANNELS`].

use crate::channels::spec::Spec;

pub mod marks;
pub mod spec;
pub mod telegram;
pub mod twilio;
pub mod smtp;

/// All channels, in the order of the manual.
pub const CHANNELS: &[Spec] = &[telegram::SPEC, twilio::SPEC, smtp::SPEC];

/// The channel called `name`, as it stands after `via`.
pub fn find(name: &str) -> Option<&'static Spec> {
    CHANNELS.iter().find(|it| it.name == name)
}
