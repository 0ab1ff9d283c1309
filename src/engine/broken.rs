//! [`is_broken`]: whether a promise is broken on purpose, so that the tests which should see that can show
//! that they do. Debug builds alone have this file, and `BELTLINE_BREAK` names the promise.

use std::sync::OnceLock;

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A submitted task is acknowledged once it is committed.
    LateAcknowledge,
    /// A commit is synced to the disk.
    FullSync,
    /// What a frozen runner commits after another took over is refused.
    Fence,
    /// Signals ride in the commit of the step that sends them.
    EarlySignals,
    /// A pair of tokens is written whole.
    WholePair,
    /// What lies in this process is counted on a clock that does not jump.
    Ticks,
    /// A decision takes no more than its task with it: the process dies of a task called `deadly`.
    Survival,
}

impl Promise {
    fn named(name: &str) -> Option<Promise> {
        Some(match name {
            "early_acknowledge" => Promise::LateAcknowledge,
            "normal_sync" => Promise::FullSync,
            "no_fence" => Promise::Fence,
            "late_signals" => Promise::EarlySignals,
            "half_pair" => Promise::WholePair,
            "wall_timer" => Promise::Ticks,
            "deadly_task" => Promise::Survival,
            _ => return None,
        })
    }
}

/// Whether that promise is broken in this process. It is read once.
pub fn is_broken(promise: Promise) -> bool {
    static BROKEN: OnceLock<Option<Promise>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "no setting of a release: the one place that reads it")]
    let read = || {
        let name = std::env::var("BELTLINE_BREAK").ok()?;
        let promise = Promise::named(&name);
        tracing::warn!(?promise, "a promise is broken on purpose");
        promise
    };
    *BROKEN.get_or_init(read) == Some(promise)
}
