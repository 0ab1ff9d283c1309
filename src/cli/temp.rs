//! [`TempDir`]: a folder of its own for an engine that is thrown away.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

/// A folder that is removed with what is in it.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// A new folder for us alone, called after what it is for.
    pub fn new(what: &str) -> Result<TempDir> {
        let mut chance = [0u8; 8];
        getrandom::fill(&mut chance).map_err(|error| anyhow!("the system gives no chance: {error}"))?;
        let name = format!("beltline-{what}-{:016x}", u64::from_be_bytes(chance));
        let path = std::env::temp_dir().join(name);
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("`{}` cannot be made", path.display()))?;
        Ok(TempDir(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What cannot be removed lies in the folder for such things.
        drop(fs::remove_dir_all(&self.0));
    }
}
