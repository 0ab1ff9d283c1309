//! [`Disk`]: a small disk of its own for a data folder: a file with ext4 in it, mounted. Its power can be
//! cut, and it can be filled. It is unmounted when it is dropped, whatever has happened.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Cuts the power of a file system: nothing more is written, not even what lies in its journal
/// (`EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`).
const CUT: &str =
    r#"open(D, "<", $ARGV[0]) or die $!; my $f = pack("L", 2); ioctl(D, 0x8004587d, $f) or die $!"#;

pub(crate) struct Disk {
    image: PathBuf,
    pub(crate) at: PathBuf,
}

/// Whether a disk can be made here: only root can mount one. Says so where it is not.
pub(crate) fn can_mount(row: &str) -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    let is_root = id.stdout == b"0\n";
    if !is_root {
        println!("{row}: left out, for only root can mount a disk");
    }
    is_root
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
}

impl Disk {
    pub(crate) fn new(folder: &Path, mib: u64) -> Disk {
        let disk = Disk { image: folder.join("disk.img"), at: folder.join("disk") };
        fs::File::create(&disk.image).unwrap().set_len(mib << 20).unwrap();
        fs::create_dir(&disk.at).unwrap();
        run("/usr/sbin/mkfs.ext4", &["-q", "-m", "0", disk.image.to_str().unwrap()]);
        disk.mount();
        disk
    }

    fn mount(&self) {
        run("mount", &["-o", "loop", self.image.to_str().unwrap(), self.at.to_str().unwrap()]);
    }

    /// What was not synced is gone.
    pub(crate) fn cut(&self) {
        run("perl", &["-e", CUT, self.at.to_str().unwrap()]);
    }

    pub(crate) fn sync(&self) {
        run("sync", &["-f", self.at.to_str().unwrap()]);
    }

    /// To be called when nobody has it open.
    pub(crate) fn power_on(&self) {
        run("umount", &[self.at.to_str().unwrap()]);
        self.mount();
    }

    /// Until it is dropped there is no room.
    pub(crate) fn fill(&self) -> Full {
        let path = self.at.join("fill");
        // It ends with an error when the disk is full, as it should.
        let of = format!("of={}", path.to_str().unwrap());
        for size in ["bs=64K", "bs=4K", "bs=1K"] {
            let args = ["if=/dev/zero", &of, size, "oflag=append", "conv=notrunc"];
            drop(Command::new("dd").args(args).output().unwrap());
        }
        Full(path)
    }
}

/// A disk without room.
pub(crate) struct Full(PathBuf);

impl Drop for Full {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.at).output());
    }
}
