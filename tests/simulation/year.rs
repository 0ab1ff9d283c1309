//! A year of a token.
