//! The runner dies at every door.
