//! Which files of a folder are processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::model::charset::saved;
use crate::service::files::is_process_file;

/// The text of a file that somebody saved.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    saved(&bytes).with_context(|| format!("`{}` is no text in UTF-8; hint: save it as UTF-8", path.display()))
}

/// The process files of a folder, by name.
pub fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("the folder `{}` cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(cannot)?;
    let paths = entries.map(|it| Ok(it?.path())).collect::<Result<Vec<_>>>().with_context(cannot)?;
    let mut files: Vec<PathBuf> = paths.into_iter().filter(|it| is_process_file(it)).collect();
    files.sort();
    Ok(files)
}

/// The folder, and those of its process files, that everybody on this machine may change.
pub fn writable_by_all(folder: &Path) -> Vec<PathBuf> {
    const ALL_WRITE: u32 = 0o002;
    let files = yaml_files(folder).unwrap_or_default();
    let is_open = |it: &PathBuf| fs::metadata(it).is_ok_and(|it| it.permissions().mode() & ALL_WRITE != 0);
    std::iter::once(folder.to_path_buf()).chain(files).filter(is_open).collect()
}
