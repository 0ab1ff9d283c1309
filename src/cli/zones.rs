//! The machine's table of time zones: where it lies, and of which release it is.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::env::Env;
use crate::model::calendar::zone::ZoneTable;

/// Where systems have it.
const FOLDERS: [&str; 4] =
    ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo", "/usr/lib/zoneinfo"];
/// What says its release: the text it was made of begins with `# version 2026e`, and BSD has the release
/// alone.
const RELEASES: [&str; 2] = ["tzdata.zi", "+VERSION"];
/// The release stands at the very beginning.
const BYTES_MAX: u64 = 64;

/// The machine's table, if it has one.
pub fn of_machine() -> Option<ZoneTable> {
    // Who sets `TZDIR` wants that table and no other.
    let said = Env::zones().map(|it| vec![it]);
    let folders = said.unwrap_or_else(|| FOLDERS.iter().map(PathBuf::from).collect());
    // A container may have the folder with nothing in it.
    let folder =
        folders.into_iter().find(|it| it.join("Europe").is_dir() || it.join("tzdata.zi").is_file())?;
    Some(ZoneTable { version: version(&folder), folder })
}

fn version(folder: &Path) -> Option<String> {
    RELEASES.iter().find_map(|name| {
        let mut text = String::new();
        File::open(folder.join(name)).ok()?.take(BYTES_MAX).read_to_string(&mut text).ok()?;
        let line = text.lines().next()?.trim();
        let version = line.strip_prefix("# version ").unwrap_or(line).trim();
        (!version.is_empty() && !version.contains(char::is_whitespace)).then(|| version.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_as_systems_write_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(version(folder.path()), None);
        write("+VERSION", "2026c\n");
        assert_eq!(version(folder.path()).as_deref(), Some("2026c"));
        for (text, wanted) in [
            ("# version 2025b\n# redo posix_only\n", "2025b"),
            ("# version 2026e\n", "2026e"),
            // One that does not say it is no hindrance to the other.
            ("R A 1 2 - 3 4 5 6\n", "2026c"),
        ] {
            write("tzdata.zi", text);
            assert_eq!(version(folder.path()).as_deref(), Some(wanted), "{text}");
        }
    }
}
