//! Files of a person's own that hold a token.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use zeroize::Zeroizing;

use crate::model::charset::saved;

/// Files are for their owner alone.
const FILE_MODE: u32 = 0o600;
/// Whoever is neither the owner nor of the group: what a machine hands in is the group's now and then.
const EVERYBODY: u32 = 0o007;

/// The token in a file that is not for everybody.
pub fn token_in(path: &Path) -> Result<Zeroizing<String>> {
    let shown = path.display();
    let about = fs::metadata(path).with_context(|| format!("`{shown}` cannot be read"))?;
    let mode = about.permissions().mode() & 0o777;
    if about.is_file() && mode & EVERYBODY != 0 {
        bail!("`{shown}` can be read by everybody (mode {mode:03o}); hint: chmod 600 {shown}");
    }
    let bytes = fs::read(path).map(Zeroizing::new).with_context(|| format!("`{shown}` cannot be read"))?;
    let text = saved(&bytes).map(Zeroizing::new);
    let text = text.ok_or_else(|| anyhow!("`{shown}` is no text in UTF-8; hint: save it as UTF-8"))?;
    match text.trim() {
        "" => bail!("`{shown}` is empty; hint: `beltline token create NAME --scope read --to {shown}`"),
        token if token.contains(char::is_whitespace) => bail!("`{shown}` holds more than one token"),
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}

/// A new file for its owner alone.
pub fn new_private(path: &Path) -> Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path);
    file.with_context(|| format!("`{}` cannot be made; hint: name a new file", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_a_file_that_is_not_for_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ci.token");
        drop(new_private(&path).unwrap());
        assert!(token_in(&path).unwrap_err().to_string().contains("is empty"));
        assert!(new_private(&path).is_err(), "what is there is not written over");
        fs::write(&path, " blt_made-up\n").unwrap();
        assert_eq!(token_in(&path).unwrap().as_str(), "blt_made-up");
        let wide: Vec<u8> = "\u{feff}blt_made-up\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for saved_elsewhere in ["\u{feff}blt_made-up\r\n".as_bytes(), &wide] {
            fs::write(&path, saved_elsewhere).unwrap();
            assert_eq!(token_in(&path).unwrap().as_str(), "blt_made-up");
        }
        fs::write(&path, b"blt_\xff").unwrap();
        assert!(token_in(&path).unwrap_err().to_string().contains("save it as UTF-8"));
        fs::write(&path, " blt_made-up\n").unwrap();
        for (mode, good) in [(0o600, true), (0o440, true), (0o604, false), (0o644, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(token_in(&path).is_ok(), good, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "blt_one blt_two").unwrap();
        assert!(!token_in(&path).unwrap_err().to_string().contains("blt_"), "and never tells it");
        assert!(token_in(&dir.path().join("none")).is_err());
    }
}
