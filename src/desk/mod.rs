//! Floor 6, every verb a person has.
