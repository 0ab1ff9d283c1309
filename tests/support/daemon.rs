//! [`Daemon`]: a server of Debian that a test runs for itself, in the root that `tests/servers` has laid out.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Goes into the root: it is read only, the test's folder is `/here`, and whatever a server leaves
/// elsewhere is gone with it. The mounts are seen by nobody else. The shell stays the first of the
/// processes: one with rights of its own, as Exim has, would outlive who started it.
const ENTER: &str = r#"set -e
root=$0 here=$1; shift
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
for it in tmp run var; do mount -t tmpfs -o mode=755 tmpfs "$root/$it"; done
mount --bind "$here" "$root/here"
mount -o remount,ro,bind "$root"
for it in lib/nginx lib/opensmtpd/empty log/nginx spool; do mkdir -p "$root/var/$it"; done
chmod 711 "$root/var/spool"
ln -s ../run "$root/var/run"
chmod 1777 "$root/tmp"
chroot "$root" "$@"
exit $?"#;

/// A server that runs. It ends, with all that it started, when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

/// Whether servers can be run here. Says so where they cannot.
pub(crate) fn can_run(what: &str) -> bool {
    let is_root = rustix::process::getuid().is_root();
    if !is_root {
        println!("{what}: left out, for only root can give a server a root of its own");
    }
    is_root
}

/// An address on loopback that is this test's alone, so that the usual ports are free there: of the number of
/// its process, and of how many it has had before.
pub(crate) fn address_of_its_own() -> Ipv4Addr {
    use std::sync::atomic::{AtomicU8, Ordering};
    static BEFORE: AtomicU8 = AtomicU8::new(0);
    let [.., high, middle, low] = std::process::id().to_be_bytes();
    let before = BEFORE.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::new(127, 64 + high % 64, middle, low.wrapping_add(before.wrapping_mul(61)))
}

/// Gives a file or folder to somebody whom the servers know.
pub(crate) fn give(path: &Path, name: &str) {
    let people = fs::read_to_string(root().join("etc/passwd")).unwrap();
    let line = people.lines().find_map(|line| line.strip_prefix(&format!("{name}:x:"))).unwrap();
    let number = line.split(':').next().unwrap().parse().unwrap();
    std::os::unix::fs::chown(path, Some(number), Some(number)).unwrap();
}

/// Where the servers are laid out.
fn root() -> PathBuf {
    let servers = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("servers");
    assert!(
        servers.join("laid-out").exists(),
        "no servers are laid out in `{}`, so nothing is tested; hint: run tests/servers",
        servers.display()
    );
    servers.join("root")
}

/// `command` in the root, with `folder` as `/here`, in a world of processes of its own.
fn inside(folder: &Path, command: &[&str]) -> Command {
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER]);
    inside.arg(root()).arg(folder).args(command).env_clear();
    inside.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/tmp").stdin(Stdio::null());
    inside
}

impl Daemon {
    /// Starts it. What it says is in `daemon.log` of `folder`.
    pub(crate) fn start(folder: &Path, command: &[&str]) -> Daemon {
        let log = folder.join("daemon.log");
        let file = fs::File::create(&log).unwrap();
        let mut inside = inside(folder, command);
        let child = inside.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Daemon { child, log }
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Fails if it has ended.
    pub(crate) fn lives(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the server ended: {}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The first of its processes goes with this one, and all others with the first.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
