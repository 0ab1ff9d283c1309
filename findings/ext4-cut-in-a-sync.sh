#!/bin/bash
# ext4 of Linux 6.18.44 says that a sync succeeded which a forced shutdown of the file system has taken.
#
# Who tests what a store loses in a power cut without pulling a plug mounts a small ext4, writes, and cuts it with
# the ioctl EXT4_IOC_SHUTDOWN and EXT4_GOING_FLAGS_NOLOGFLUSH: nothing more is written, not even the journal. A good
# memory says: a sync that was under way fails with EIO, so whatever was said to be synced is there afterwards.
#
# Here: about one cut in ten takes a record whose fdatasync() returned 0. The commit of the journal that the sync
# waits for is ended by the shutdown, is then neither running nor committing, and the sync takes that for done. The
# store looks as if it lied, once in some hundred cuts. Whoever stops the process first (SIGSTOP, until no thread
# of it runs) and cuts then finds none: as without power, nobody is there to hear the answer.
#
# Needs: root, python3, e2fsprogs, a loop device. Uses no package: what is looked at is the kernel. Seen:
#   cut while it runs: 400 cuts, 35 synced records are gone
#   stopped, then cut: 400 cuts, 0 synced records are gone
# Prints what was found, and `AS FOUND` if it is still so.
set -euo pipefail
DIR=$(mktemp -d); trap 'umount -l "$DIR/disk" 2>/dev/null || true; rm -rf "$DIR"' EXIT
mkdir "$DIR/disk"
truncate -s 96M "$DIR/disk.img"
/usr/sbin/mkfs.ext4 -q -F -m 0 "$DIR/disk.img"
mount -o loop "$DIR/disk.img" "$DIR/disk"
cat > "$DIR/cut.py" <<'PY'
import fcntl, os, random, signal, struct, subprocess, sys, time

folder, cuts, chance = sys.argv[1], int(sys.argv[2]), random.Random(1)
image, disk = f"{folder}/disk.img", f"{folder}/disk"
SHUTDOWN, NOLOGFLUSH = 0x8004587D, struct.pack("I", 2)

def write(out):
    """Appends numbered records, and says each number when it is synced."""
    log = os.open(f"{disk}/log", os.O_CREAT | os.O_RDWR | os.O_TRUNC)
    number = 0
    while True:
        number += 1
        os.write(log, f"{number:11}\n".encode() * chance.choice([100, 341, 700]))
        os.fdatasync(log)
        os.write(out, struct.pack("I", number))

def is_still(child):
    return open(f"/proc/{child}/stat").read().rsplit(")", 1)[1].split()[0] in "TD"

def lost(stop):
    gone = 0
    for _ in range(cuts):
        heard, out = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                write(out)
            except OSError:
                os._exit(0)
        os.close(out)
        time.sleep(0.02 + chance.random() * 0.03)
        if stop:
            os.kill(child, signal.SIGSTOP)
            while not is_still(child):
                pass
        root = os.open(disk, os.O_RDONLY)
        fcntl.ioctl(root, SHUTDOWN, NOLOGFLUSH)
        os.close(root)
        time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said = 0
        while len(number := os.read(heard, 4)) == 4:
            said = struct.unpack("I", number)[0]
        os.close(heard)
        subprocess.run(["umount", disk], check=True)
        subprocess.run(["mount", "-o", "loop", image, disk], check=True)
        try:
            lines = open(f"{disk}/log", "rb").read().split(b"\n")
        except FileNotFoundError:
            lines = []
        numbers = [int(it) for it in lines if it.strip(b"\0 ").isdigit()]
        gone += max(numbers, default=0) < said
    return gone

running, stopped = lost(False), lost(True)
print(f"cut while it runs: {cuts} cuts, {running} synced records are gone")
print(f"stopped, then cut: {cuts} cuts, {stopped} synced records are gone")
is_found = running > 0 and stopped == 0
print("AS FOUND" if is_found else "CHANGED")
sys.exit(0 if is_found else 1)
PY
python3 "$DIR/cut.py" "$DIR" 400
