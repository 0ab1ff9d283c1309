//! [`Watch`]: says which process files of a folder changed, once they have come to rest.
//!
//! Editors save in many ways: in place, by a new file and a rename, through a file that comes and goes. So a
//! change is only a sign to look at that path, and nothing is looked at before the signs have stopped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// A save is over when nothing happened for so long.
const QUIET: Duration = Duration::from_millis(150);
/// Somebody who writes without end is not waited for longer than that.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Watches a folder.
#[derive(Debug)]
pub struct Watch {
    folder: PathBuf,
    signs: mpsc::UnboundedReceiver<PathBuf>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches `folder`, not what is below it.
    pub fn new(folder: &Path) -> Result<Watch> {
        let (send, signs) = mpsc::unbounded_channel();
        let see = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if !matches!(event.kind, EventKind::Access(_)) {
                for path in event.paths {
                    // The receiver is gone only when the engine stops.
                    drop(send.send(path));
                }
            }
        };
        let begin = || -> notify::Result<RecommendedWatcher> {
            let mut watcher = notify::recommended_watcher(see)?;
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        };
        let watcher = begin().with_context(|| format!("`{}` cannot be watched", folder.display()))?;
        Ok(Watch { folder: folder.to_path_buf(), signs, _watcher: watcher })
    }

    /// The files that changed and came to rest, by the names the folder gives them.
    pub async fn next(&mut self) -> Option<BTreeSet<PathBuf>> {
        let mut changed = BTreeSet::from([self.signs.recv().await?]);
        let gather = async {
            while let Ok(Some(path)) = tokio::time::timeout(QUIET, self.signs.recv()).await {
                changed.insert(path);
            }
        };
        // Whether it came to rest or not, it is looked at now; the next sign brings it here again.
        drop(tokio::time::timeout(WAIT_MAX, gather).await);
        let names = changed.iter().filter_map(|it| it.file_name());
        Some(names.map(|it| self.folder.join(it)).collect())
    }
}
