//! Floor 3, the kinds of node. To add one: write its file, and add its line to [`KINDS`].

use crate::model::kind::Spec;

/// All kinds, in the order of the manual.
pub const KINDS: &[Spec] = &[];
