//! Floor 2, the channels. To add one: write its file, and add its line to [`CHANNELS`].

use crate::channels::spec::ChannelSpec;

pub mod marks;
pub mod spec;
pub mod words;
pub mod refusal;
pub mod telegram;
pub mod twilio;
pub mod messagebird;
pub mod unisender;
pub mod unisender_sms;
pub mod unisender_email;
pub mod mandrill;
pub mod smtp;
pub mod webhook;

/// All channels, in the order of the manual.
pub const CHANNELS: &[ChannelSpec] = &[
    telegram::SPEC,
    twilio::SPEC,
    messagebird::SPEC,
    unisender_sms::SPEC,
    unisender_email::SPEC,
    mandrill::SPEC,
    smtp::SPEC,
    webhook::SPEC,
];

/// The channel called `name`, as it stands after `via`.
pub fn find(name: &str) -> Option<&'static ChannelSpec> {
    CHANNELS.iter().find(|it| it.name == name)
}
