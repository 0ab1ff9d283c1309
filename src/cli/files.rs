//! Which files of a folder are processes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The process files of a folder, by name.
pub fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("the folder `{}` cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(cannot)?;
    let paths = entries.map(|it| Ok(it?.path())).collect::<Result<Vec<_>>>().with_context(cannot)?;
    let mut files: Vec<PathBuf> = paths.into_iter().filter(|it| is_process_file(it) && it.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Whether a path is called like a process file. What editors leave while they save begins with a dot.
pub fn is_process_file(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|it| it.to_string_lossy().starts_with(['.', '#']));
    !hidden && path.extension().is_some_and(|it| it == "yaml" || it == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_leave_behind_is_no_process() {
        for name in ["hello.yaml", "hello.yml"] {
            assert!(is_process_file(Path::new(name)), "{name}");
        }
        for name in [".hello.yaml.swp", ".#hello.yaml", "#hello.yaml", "hello.yaml~", "hello.txt", "4913"] {
            assert!(!is_process_file(Path::new(name)), "{name}");
        }
    }
}
