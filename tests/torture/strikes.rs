//! Killed at the N-th write, sync or rename of a renewal: each N that occurs, while one token is renewed
//! again and again.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::place::until;
use crate::torture::life::Life;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, caught, rounds, seed};

const ROW: &str = "struck";
/// The calls at which it is struck, and how far apart the strikes of the small run are.
const CALLS: [(&str, usize); 5] = [
    ("pwrite64", 7),
    ("fsync,fdatasync", 2),
    ("write,writev,sendto", 3),
    ("recvfrom,read", 5),
    ("rename,renameat,renameat2", 1),
];
/// A call that has not come so often in so many renewals does not.
const RENEWALS: u64 = 2;

/// A tracer that kills what it is attached to.
pub(crate) struct Tracer(Child);

impl Tracer {
    pub(crate) fn attach(life: &Life, calls: &str, nth: usize) -> Tracer {
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:signal=KILL:when={nth}"));
        let id = life.id().to_string();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-o", "/dev/null", "-e", &trace, "-e", &inject, "-p", &id]);
        let tracer = Tracer(strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the tracer is attached, or has struck already", || {
            is_traced(life.id()).unwrap_or(true).then_some(())
        });
        tracer
    }
}

/// Whether all threads of that process that still run are traced; none when it is gone.
fn is_traced(id: u32) -> Option<bool> {
    let threads: Vec<_> = fs::read_dir(format!("/proc/{id}/task")).ok()?.filter_map(Result::ok).collect();
    let status = |it: &fs::DirEntry| fs::read_to_string(it.path().join("status")).unwrap_or_default();
    // What was struck, and is not yet waited for, is a zombie that nobody traces.
    let is_free = |text: String| text.contains("TracerPid:\t0\n") && !text.contains("State:\tZ");
    Some(!threads.iter().any(|it| is_free(status(it))))
}

/// What each thread of that process does, and who traces it.
fn threads(id: u32) -> String {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().filter_map(Result::ok);
    let told = |it: &fs::DirEntry| {
        let status = fs::read_to_string(it.path().join("status")).unwrap_or_default();
        let is_told = |line: &&str| ["Name", "State", "TracerPid"].iter().any(|it| line.starts_with(it));
        status.lines().filter(is_told).collect::<Vec<_>>().join(" ")
    };
    threads.map(|it| told(&it)).collect::<Vec<_>>().join("\n")
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // What it traced goes on. Asked to end, it may wait for ever for a thread of what it has killed.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn struck(sparse: bool, keeper: &str, broken: Option<&'static str>, calls: &[(&str, usize)]) -> Tally {
    let mut scene = Scene::new(seed() + 6, broken).await;
    scene.outside.book.calm_down();
    let (mut rounds, mut wrong) = (0, Vec::new());
    let mut life = scene.live();
    scene.close();
    'calls: for (call, apart) in calls {
        let apart = if sparse { *apart } else { 1 };
        for nth in (1..).step_by(apart) {
            scene.keep(&life, keeper).await;
            let tracer = Tracer::attach(&life, call, nth);
            let dies = dies(&scene, keeper, &mut life).await;
            drop(tracer);
            // It may have struck at the last moment: only what answers lives.
            if !dies && scene.get(&life, "status").await.is_some() {
                break;
            }
            scene.outside.book.fault();
            drop(life);
            rounds += 1;
            life = scene.start.go().unwrap_or_else(|refusal| panic!("{refusal:?}"));
            // Looked at now: the next renewal heals it.
            wrong = scene.halves(&life, keeper).await;
            if !wrong.is_empty() {
                wrong.push(format!("that is after a strike at {call} {nth}"));
                break 'calls;
            }
        }
    }
    let mut tally = Tally { rounds, wrong, ..Tally::default() };
    scene.open(&life);
    tally.add(scene.judge(life, 0).await);
    tally
}

/// Waits until it has died, or has renewed so often that it will not.
#[expect(clippy::disallowed_methods, reason = "the engine is another program")]
async fn dies(scene: &Scene, keeper: &str, life: &mut Life) -> bool {
    let rotations =
        || scene.outside.book.families.lock().unwrap().by_name.get(keeper).map_or(0, |it| it.rotations);
    let (before, began, mut healed) = (rotations(), Instant::now(), Instant::now());
    while !life.has_ended() {
        if rotations() > before + RENEWALS {
            return false;
        }
        // A strict server ends the grant when the answer to an earlier life comes to be asked again.
        if healed.elapsed() > Duration::from_secs(1) {
            scene.heal(life, keeper).await;
            healed = Instant::now();
        }
        if began.elapsed() > Duration::from_mins(2) {
            let path = format!("processes/keeper/tasks/{keeper}");
            let task = tokio::time::timeout(Duration::from_secs(5), scene.get(life, &path)).await;
            panic!("{keeper} is not renewed: {task:?}\n{}\n{}", threads(life.id()), life.log());
        }
        pause(Duration::from_millis(5)).await;
    }
    true
}

#[expect(clippy::disallowed_methods, reason = "the engine is another program")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn struck_in_a_renewal() {
    let sparse = rounds(0, 1) == 0;
    let mut tally = struck(sparse, "lenient1", None, &CALLS).await;
    if !sparse {
        tally.add(struck(sparse, "strict1", None, &CALLS).await);
    }
    tally.stands(ROW);
}

#[tokio::test(flavor = "multi_thread")]
async fn struck_in_a_renewal_sees_a_pair_that_is_written_in_two_steps() {
    caught(ROW, "half_pair", &struck(false, "lenient1", Some("half_pair"), &[("pwrite64", 1)]).await);
}
