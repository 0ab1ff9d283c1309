//! The manual as it lies in `src/manual/`, and the front door, `README.md`.

use std::path::{Path, PathBuf};

/// Where a file lies that is named from the top.
pub(crate) fn below(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Where a page of the manual lies.
pub(crate) fn path(name: &str) -> PathBuf {
    below("src/manual").join(name).with_extension("md")
}

/// The text of a page.
pub(crate) fn page(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The README.
pub(crate) fn readme() -> String {
    std::fs::read_to_string(below("README.md")).unwrap()
}

/// The names of all pages, in their order.
pub(crate) fn names() -> Vec<String> {
    let folder = std::fs::read_dir(below("src/manual")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut names: Vec<String> =
        pages.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(names.len() > 20, "{names:?}");
    names
}

/// The README and all pages, each with its name.
pub(crate) fn all() -> Vec<(String, String)> {
    let pages = names().into_iter().map(|name| (format!("src/manual/{name}.md"), page(&name)));
    std::iter::once(("README.md".to_owned(), readme())).chain(pages).collect()
}
