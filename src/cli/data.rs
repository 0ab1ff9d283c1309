//! [`DataDir`]: the folder that holds everything, for its owner alone: beltline.db, key, token, lock, and the
//! address while an engine runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::engine::witness::{Unwitnessed, Witness};
use crate::store::seal::{KEY_BYTES, Key};
use crate::store::witness::FileWitness;

/// The folder, for its owner alone.
const DIR_MODE: u32 = 0o700;
/// Its files.
const FILE_MODE: u32 = 0o600;
/// The bits that let others in.
const OTHERS: u32 = 0o077;
/// 256 bits of chance.
const TOKEN_BYTES: usize = 32;
/// What a token of the local operator begins with, so that a leaked one is known for what it is.
const TOKEN_PREFIX: &str = "blt_";

/// The folder.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Nobody else runs an engine on the folder while this lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock ends with the file")] File);

/// How a file of the folder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileStatus {
    /// Not there.
    Missing,
    /// For its owner alone.
    Private,
    /// Others get at it; its mode.
    Open(u32),
}

impl DataDir {
    /// That folder, whether it is there or not.
    pub fn at(path: &Path) -> DataDir {
        DataDir(path.to_path_buf())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.0.join("beltline.db")
    }

    /// What knows under which task the engine died. Without it, it goes on all the same.
    pub fn witness(&self) -> Arc<dyn Witness> {
        match FileWitness::open(&self.0) {
            Ok(witness) => Arc::new(witness),
            Err(error) => {
                tracing::warn!(%error, "no death of the engine will be told; hint: has the disk room?");
                Arc::new(Unwitnessed)
            }
        }
    }

    /// Makes the folder if it is not there.
    pub fn make(&self) -> Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(&self.0);
        made.with_context(|| format!("the data folder `{}` cannot be made", self.0.display()))
    }

    /// Takes the folder for this process.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.0.join("lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(&path);
        let file = opened.with_context(|| {
            format!(
                "`{}` cannot be opened; hint: the engine writes to its data folder, so that must be on a \
                 disk that takes writes, and belong to this user",
                path.display()
            )
        })?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => {
                let at = self.address().map_or(String::new(), |it| format!(" at {it}"));
                bail!(
                    "another engine runs on `{}`{at}; hint: stop it, or take another folder with --data",
                    self.0.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("`{}` cannot be locked", path.display()))
            }
        }
    }

    /// The key that seals: the given one, or the folder's, which is made at the first start.
    pub fn key(&self, given: Option<&Zeroizing<String>>) -> Result<Key> {
        if let Some(text) = given {
            return key_of(text).context("BELTLINE_KEY");
        }
        let path = self.0.join("key");
        let made = || Ok(Zeroizing::new(BASE64_STANDARD.encode(chance()?.as_slice())));
        if !path.exists() && self.database().exists() {
            bail!(
                "`{}` is gone, and without it the secrets in beltline.db cannot be opened; hint: put it \
                 back, or give it in BELTLINE_KEY",
                path.display()
            );
        }
        if !path.exists() {
            // Before the key is there: a key without a store is then a store that was lost, and no first
            // start that was cut off.
            write_private(&self.first_start(), "")?;
        }
        let text = self.own_file("key", made)?;
        key_of(&text).with_context(|| format!("`{}`", path.display()))
    }

    /// Refuses a folder whose store is gone while its key is still there: an empty one in its place would
    /// hide the loss.
    pub fn refuse_lost_store(&self) -> Result<()> {
        let (key, store) = (self.0.join("key"), self.database());
        if !key.exists() || store.exists() || self.first_start().exists() {
            return Ok(());
        }
        bail!(
            "`{store}` is gone, while `{key}` is still there; hint: put the file back, from a backup if need \
             be (with its `-wal`, if there is one), or move `{key}` away to begin anew with nothing",
            store = store.display(),
            key = key.display()
        )
    }

    /// The store has been opened: from now on it is missed when it is gone.
    pub fn store_opened(&self) {
        // It says only that a first start was begun; the next start removes it as well.
        drop(fs::remove_file(self.first_start()));
    }

    /// There from before the key is made until the store is.
    fn first_start(&self) -> PathBuf {
        self.0.join("first-start")
    }

    /// The local operator's token, made at the first start.
    pub fn token(&self) -> Result<Zeroizing<String>> {
        let made = || {
            let chance = chance()?;
            Ok(Zeroizing::new(format!("{TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(chance.as_slice()))))
        };
        self.own_file("token", made)
    }

    /// The local operator's token, if there is one that can be read.
    pub fn read_token(&self) -> Option<Zeroizing<String>> {
        let text = Zeroizing::new(fs::read_to_string(self.0.join("token")).ok()?);
        Some(Zeroizing::new(text.trim().to_owned())).filter(|it| !it.is_empty())
    }

    /// Where the engine of this folder listens, as it said itself.
    pub fn address(&self) -> Option<String> {
        let text = fs::read_to_string(self.0.join("address")).ok()?;
        Some(text.trim().to_owned()).filter(|it| !it.is_empty())
    }

    /// Says where the engine of this folder listens.
    pub fn set_address(&self, address: SocketAddr) -> Result<()> {
        write_private(&self.0.join("address"), &format!("http://{address}\n"))
    }

    /// The engine listens no more.
    pub fn forget_address(&self) {
        // A stale address does no harm: nobody answers there.
        drop(fs::remove_file(self.0.join("address")));
    }

    /// How a file of the folder stands; the folder itself under the name of nothing.
    pub fn standing(&self, name: &str) -> FileStatus {
        let path = if name.is_empty() { self.0.clone() } else { self.0.join(name) };
        match fs::metadata(path).map(|it| it.permissions().mode() & 0o777) {
            Err(_) => FileStatus::Missing,
            Ok(mode) if mode & OTHERS == 0 => FileStatus::Private,
            Ok(mode) => FileStatus::Open(mode),
        }
    }

    /// The text of a file for our eyes only. It is made if it is not there, refused if others can read it.
    fn own_file(
        &self,
        name: &str,
        new: impl FnOnce() -> Result<Zeroizing<String>>,
    ) -> Result<Zeroizing<String>> {
        let path = self.0.join(name);
        match self.standing(name) {
            FileStatus::Missing => {
                let text = new()?;
                write_private(&path, &format!("{}\n", text.as_str()))?;
                Ok(text)
            }
            FileStatus::Open(mode) => bail!(
                "`{path}` can be read by others (mode {mode:03o}); hint: chmod 600 {path}",
                path = path.display()
            ),
            FileStatus::Private => {
                let text = fs::read_to_string(&path).map(Zeroizing::new);
                let unread =
                    || format!("`{}` cannot be read; hint: put back what stood there", path.display());
                let text = text.with_context(unread)?;
                match text.trim() {
                    "" => bail!("`{}` is empty; hint: put back what stood there", path.display()),
                    text => Ok(Zeroizing::new(text.to_owned())),
                }
            }
        }
    }
}

/// Whole or not at all, even if the power fails.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let write = || -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().with_context(|| format!("`{}` cannot be written", path.display()))
}

fn key_of(text: &str) -> Result<Key> {
    let bytes = BASE64_STANDARD.decode(text.trim()).map(Zeroizing::new);
    let bytes: Option<[u8; KEY_BYTES]> = bytes.ok().and_then(|it| it.as_slice().try_into().ok());
    let bytes = bytes.ok_or_else(|| {
        anyhow!("the key is no base64 of {KEY_BYTES} bytes; hint: put back the key that belongs to the store")
    })?;
    Ok(Key::new(bytes))
}

fn chance() -> Result<Zeroizing<[u8; TOKEN_BYTES]>> {
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| anyhow!("the system gives no chance: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_at_the_first_start_stays() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(&dir.path().join("data"));
        data.make().unwrap();
        let (key, token) = (data.key(None).unwrap(), data.token().unwrap());
        assert_eq!((*data.key(None).unwrap(), data.token().unwrap()), (*key, token.clone()));
        assert_eq!(data.read_token(), Some(token));
        for name in ["", "key", "token"] {
            assert_eq!(data.standing(name), FileStatus::Private, "{name}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_a_lost_one_is_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path());
        data.key(None).unwrap();
        fs::set_permissions(dir.path().join("key"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(data.key(None).unwrap_err().to_string().contains("chmod 600"));
        fs::remove_file(dir.path().join("key")).unwrap();
        fs::write(data.database(), "").unwrap();
        assert!(data.key(None).unwrap_err().to_string().contains("is gone"));
    }

    #[test]
    fn a_store_that_is_gone_beside_its_key_is_missed_but_not_before_it_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path());
        data.refuse_lost_store().unwrap();
        data.key(None).unwrap();
        data.refuse_lost_store().unwrap();
        fs::write(data.database(), "a store").unwrap();
        data.store_opened();
        data.refuse_lost_store().unwrap();
        fs::remove_file(data.database()).unwrap();
        let said = data.refuse_lost_store().unwrap_err().to_string();
        assert!(said.contains("beltline.db` is gone") && said.contains("hint: put the file back"), "{said}");
        fs::remove_file(dir.path().join("key")).unwrap();
        data.refuse_lost_store().unwrap();
    }

    #[test]
    fn one_engine_runs_on_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path());
        let first = data.lock().unwrap();
        assert!(data.lock().unwrap_err().to_string().contains("another engine"));
        drop(first);
        assert!(data.lock().is_ok());
    }
}
