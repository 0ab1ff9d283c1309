//! How much of the processors a thread has when others want them too.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// A third of what a usual thread has.
const NICE: i32 = 5;

/// Lets this thread have less of the processors than those that serve.
pub(super) fn modest() {
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        tracing::debug!(%error, "what takes long has as much of the processors as all else");
    }
}
