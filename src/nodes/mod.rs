//! Floor 3, the kinds of node. To add one: write its file, and add its line to [`KINDS`].

pub mod fields;
pub mod input;
pub mod http_body;
pub mod http_auth;
pub mod http_pages;
pub mod http_unread;
pub mod http_follow;
pub mod http;
pub mod delay;
pub mod condition;
pub mod set;
pub mod wait;
pub mod call;
pub mod each;
pub mod notification;
pub mod levels;
pub mod escalation;
pub mod notify;
pub mod reply;
pub mod send;
pub mod raise;
pub mod end;

use crate::model::kind::KindSpec;

/// All kinds, in the order of the manual.
pub const KINDS: &[KindSpec] = &[
    input::SPEC,
    http::SPEC,
    delay::SPEC,
    condition::SPEC,
    set::SPEC,
    escalation::SPEC,
    notify::SPEC,
    call::SPEC,
    each::SPEC,
    reply::SPEC,
    raise::SPEC,
    send::SPEC,
    wait::SPEC,
    end::SPEC,
];
