//! How many files and connections the program may open at once: as many as the system lets it, and not the
//! 1,024 that most systems begin with.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than the engine ever opens.
const WANTED: u64 = 65_536;

/// Raises the limit as far as it goes without asking anybody; gives what it is then, none if there is none.
pub(super) fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(WANTED, |it| it.min(WANTED));
    if current.is_none_or(|it| it >= wanted) {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => Some(wanted),
        Err(error) => {
            tracing::warn!(%error, ?current, wanted, "the limit of open files is left as it is");
            current
        }
    }
}
