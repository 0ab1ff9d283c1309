//! The runner where it meets what surrounds it: a store that fails while it lives, a clock that steps, a stop
//! and a crash in the middle of work, and requests that hang.

mod backlog;
mod held;
mod places;
mod slow;
mod stops;
