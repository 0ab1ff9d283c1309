//! What only a store in a file can get wrong.

use std::path::Path;

use beltline::store::seal::{KEY_BYTES, Key, Sealer};
use beltline::store::sqlite::Sqlite;
use tempfile::TempDir;

pub fn sealer() -> Sealer {
    Sealer::from_key(Key::new([7; KEY_BYTES]))
}

/// A store in a folder of its own, which is removed when that goes.
pub fn fresh() -> (Sqlite, TempDir) {
    let folder = TempDir::new().unwrap();
    (open(folder.path()), folder)
}

pub fn open(folder: &Path) -> Sqlite {
    Sqlite::open(&folder.join("beltline.db"), sealer()).unwrap()
}
