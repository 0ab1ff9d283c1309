//! Which files of a folder are processes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::desk::files::is_process_file;

/// The process files of a folder, by name.
pub fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("the folder `{}` cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(cannot)?;
    let paths = entries.map(|it| Ok(it?.path())).collect::<Result<Vec<_>>>().with_context(cannot)?;
    let mut files: Vec<PathBuf> = paths.into_iter().filter(|it| is_process_file(it)).collect();
    files.sort();
    Ok(files)
}
