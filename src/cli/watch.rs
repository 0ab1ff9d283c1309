//! [`FolderWatch`]: says which files of a folder changed, once they have come to rest.
//!
//! Editors save in many ways: in place, by a new file and a rename, through a file that comes and goes. And
//! deployments replace what the path leads to: the folder is made anew, a link is put on the next release, or
//! the files are links below one that is swapped. The system's events name the first kind only, and there are
//! none on some file systems. So an event is only a sign to look soon, and it is looked once a second anyway:
//! what counts is whether a file is another than it was.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// A save is over when nothing happened for so long.
const QUIET: Duration = Duration::from_millis(150);
/// Somebody who writes without end is not waited for longer than that.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// So often it is looked without a sign. With [`QUIET`] a change is seen well within two seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Watches a folder, not what is below it.
#[derive(Debug)]
pub struct FolderWatch {
    folder: PathBuf,
    /// The files as they were when they were told last.
    told: Shot,
    /// What events have named since then.
    named: BTreeSet<OsString>,
    signs: mpsc::UnboundedReceiver<PathBuf>,
    events: Option<Events>,
}

/// The events of the system.
#[derive(Debug)]
struct Events {
    watcher: RecommendedWatcher,
    /// The very folder they are about; `None` if they are about none.
    of: Option<(u64, u64)>,
}

/// A folder at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shot {
    /// Its device and number; `None` if it is not there.
    folder: Option<(u64, u64)>,
    /// Its files, and those that its links lead to.
    files: BTreeMap<OsString, Stamp>,
}

/// What tells a file from another: device, number, bytes, and when it was written and changed, with
/// nanoseconds.
type Stamp = [i128; 7];

impl FolderWatch {
    /// Watches `folder` from now on, whether it is there or not.
    pub fn new(folder: &Path) -> FolderWatch {
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
        let events = match notify::recommended_watcher(see) {
            Ok(watcher) => Some(Events { watcher, of: None }),
            Err(error) => {
                tracing::info!(%error, "`{}` has no events; it is looked once a second", folder.display());
                None
            }
        };
        let mut watch = FolderWatch {
            folder: folder.to_path_buf(),
            told: Shot::default(),
            named: BTreeSet::new(),
            signs,
            events,
        };
        // The events first, so that nothing changes unseen between them and the first look.
        watch.listen(Shot::of(folder).folder);
        watch.told = Shot::of(folder);
        watch
    }

    /// The files that changed and came to rest, by the names the folder gives them. What is not awaited to
    /// the end is told the next time.
    pub async fn next(&mut self) -> BTreeSet<PathBuf> {
        loop {
            // What was named when somebody gave up waiting is not waited for again.
            if self.named.is_empty() {
                let sign = tokio::time::timeout(LOOK, self.signs.recv()).await;
                self.note(sign.ok().flatten());
            }
            let mut shot = self.look().await;
            if shot.files == self.told.files && self.named.is_empty() {
                continue;
            }
            let rest = async {
                loop {
                    let sign = tokio::time::timeout(QUIET, self.signs.recv()).await.ok().flatten();
                    let is_quiet = sign.is_none();
                    self.note(sign);
                    let next = self.look().await;
                    if is_quiet && next == shot {
                        break;
                    }
                    shot = next;
                }
            };
            // Whether it came to rest or not, it is told now; what changes after is told again.
            drop(tokio::time::timeout(WAIT_MAX, rest).await);
            let changed = self.changed(&shot);
            self.told = shot;
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    fn note(&mut self, sign: Option<PathBuf>) {
        let (folder, events) = (&self.folder, &mut self.events);
        for path in sign.into_iter().chain(std::iter::from_fn(|| self.signs.try_recv().ok())) {
            if path == *folder {
                // The folder itself was removed or moved: maybe nobody listens to it any more. The next one
                // may well have its number.
                if let Some(events) = events {
                    events.of = None;
                }
            } else if let Some(name) = path.file_name() {
                self.named.insert(name.to_owned());
            }
        }
    }

    async fn look(&mut self) -> Shot {
        let folder = self.folder.clone();
        // A file system behind a network may take its time.
        let looked = tokio::task::spawn_blocking(move || Shot::of(&folder)).await;
        let shot = looked.unwrap_or_else(|_| self.told.clone());
        self.listen(shot.folder);
        shot
    }

    /// Listens to the events of the folder that is there now.
    fn listen(&mut self, now: Option<(u64, u64)>) {
        let Some(events) = self.events.as_mut().filter(|it| it.of != now || now.is_none()) else { return };
        // It may be gone with its folder.
        drop(events.watcher.unwatch(&self.folder));
        events.of = now.filter(|_| events.watcher.watch(&self.folder, RecursiveMode::NonRecursive).is_ok());
    }

    /// What is another than was told, and what events have named.
    fn changed(&mut self, shot: &Shot) -> BTreeSet<PathBuf> {
        let (old, new) = (&self.told.files, &shot.files);
        let other = old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).cloned();
        let all = other.chain(std::mem::take(&mut self.named));
        all.map(|name| self.folder.join(name)).collect()
    }
}

impl Shot {
    fn of(folder: &Path) -> Shot {
        let number = fs::metadata(folder).ok().map(|it| (it.dev(), it.ino()));
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        // A link counts as what it leads to.
        let file = |name: OsString| Some((stamp(&folder.join(&name))?, name));
        let files = entries.filter_map(|it| file(it.file_name())).map(|(stamp, name)| (name, stamp));
        Shot { folder: number, files: files.collect() }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let it = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let times = [it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec()].map(i128::from);
    let [written, written_nanos, changed, changed_nanos] = times;
    let (device, number, bytes) = (it.dev().into(), it.ino().into(), it.len().into());
    Some([device, number, bytes, written, written_nanos, changed, changed_nanos])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What is seen at all is seen within that, on a machine that does much else.
    const PATIENCE: Duration = Duration::from_mins(1);

    /// A change, and whether events are heard of it.
    type Change = fn(&Path);

    /// The changes and what of `now/` they are seen as; each begins with `releases/1/a.yaml`, and a link
    /// `now` to it.
    const CHANGES: [(&str, Change); 7] = [
        ("written in place, as long as before", |base| fs::write(base.join("now/a.yaml"), "two").unwrap()),
        ("a new file and a rename", |base| {
            fs::write(base.join("now/.a.tmp"), "two").unwrap();
            fs::rename(base.join("now/.a.tmp"), base.join("now/a.yaml")).unwrap();
        }),
        ("removed", |base| fs::remove_file(base.join("now/a.yaml")).unwrap()),
        ("the folder is made anew", |base| {
            fs::remove_dir_all(base.join("releases/1")).unwrap();
            fs::create_dir(base.join("releases/1")).unwrap();
            fs::write(base.join("releases/1/a.yaml"), "two").unwrap();
        }),
        ("the folder is moved away, and another comes", |base| {
            fs::rename(base.join("releases/1"), base.join("releases/0")).unwrap();
            fs::create_dir(base.join("releases/1")).unwrap();
            fs::write(base.join("releases/1/a.yaml"), "two").unwrap();
        }),
        ("the folder's link leads to the next release", |base| {
            fs::create_dir(base.join("releases/2")).unwrap();
            fs::write(base.join("releases/2/a.yaml"), "two").unwrap();
            symlink("releases/2", base.join("next")).unwrap();
            fs::rename(base.join("next"), base.join("now")).unwrap();
        }),
        ("the files are links below one that is swapped", |base| {
            for (release, text) in [("..1", "one"), ("..2", "two")] {
                fs::create_dir(base.join("now").join(release)).unwrap();
                fs::write(base.join("now").join(release).join("a.yaml"), text).unwrap();
            }
            symlink("..2", base.join("now/..next")).unwrap();
            fs::remove_file(base.join("now/a.yaml")).unwrap();
            symlink("..data/a.yaml", base.join("now/a.yaml")).unwrap();
            fs::rename(base.join("now/..next"), base.join("now/..data")).unwrap();
        }),
    ];

    fn base() -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("releases/1")).unwrap();
        fs::write(base.path().join("releases/1/a.yaml"), "one").unwrap();
        symlink("releases/1", base.path().join("now")).unwrap();
        base
    }

    /// Waits until a change of that file is told.
    async fn seen(watch: &mut FolderWatch, path: &Path, what: &str) {
        let told = async { while !watch.next().await.contains(path) {} };
        assert!(tokio::time::timeout(PATIENCE, told).await.is_ok(), "not seen: {what}");
    }

    #[tokio::test]
    async fn every_way_to_change_a_file_is_seen_with_events_and_without() {
        assert!(
            LOOK + QUIET < Duration::from_millis(1_500),
            "what is not heard of is seen within two seconds"
        );
        for (what, change) in CHANGES {
            for deaf in [false, true] {
                let base = base();
                let mut watch = FolderWatch::new(&base.path().join("now"));
                if deaf {
                    watch.events = None;
                }
                let path = base.path().join("now/a.yaml");
                change(base.path());
                seen(&mut watch, &path, &format!("{what}, deaf: {deaf}")).await;
                // Whatever became of the folder, the next change is seen too.
                fs::write(&path, "three").unwrap();
                seen(&mut watch, &path, &format!("after {what}, deaf: {deaf}")).await;
                assert_eq!(watch.told.files.len(), 1, "{what}");
                assert!(deaf || watch.events.unwrap().of.is_some(), "the events of the new folder: {what}");
            }
        }
    }

    #[tokio::test]
    async fn a_folder_that_comes_later_is_seen() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("later");
        let mut watch = FolderWatch::new(&folder);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.yaml"), "one").unwrap();
        seen(&mut watch, &folder.join("a.yaml"), "a folder that was not there").await;
    }

    #[tokio::test]
    async fn what_is_given_up_in_the_middle_is_told_the_next_time() {
        let base = base();
        let mut watch = FolderWatch::new(&base.path().join("now"));
        let path = base.path().join("now/a.yaml");
        fs::write(&path, "two").unwrap();
        // Given up while the change comes to rest.
        assert!(tokio::time::timeout(QUIET / 2, watch.next()).await.is_err());
        seen(&mut watch, &path, "after it was given up").await;
    }
}
