//! `follow` of an `http` node: how redirects are followed.

use schemars::JsonSchema;
use serde::Deserialize;

/// Redirects that are followed if nothing else is said.
pub const FOLLOW_DEFAULT: u8 = 5;

/// How redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Follow {
    /// At most so many.
    Most(u8),
    /// In that way.
    How(HowToFollow),
}

/// A way to follow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HowToFollow {
    /// A write becomes a look, as in browsers.
    AsGet,
}

impl Follow {
    /// How many at most.
    pub fn most(self) -> u8 {
        match self {
            Follow::Most(most) => most,
            Follow::How(HowToFollow::AsGet) => FOLLOW_DEFAULT,
        }
    }

    /// Whether a write becomes a look.
    pub fn is_as_get(self) -> bool {
        self == Follow::How(HowToFollow::AsGet)
    }
}
