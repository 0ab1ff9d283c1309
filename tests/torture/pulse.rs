//! [`Pulse`]: how long a little work and a sync take on this machine now. Where they take long, the engine
//! needs longer, too, for what it does with an answer, and may be given longer.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(50);
/// What takes longer is noted.
const USUAL: Duration = Duration::from_millis(50);
/// A commit of an answer is so much work, and some syncs.
const TIMES: u32 = 10;
/// So long before and after a moment it is looked how the machine was.
const BEFORE: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(10);

/// Beats beside the test until it is dropped.
pub(crate) struct Pulse {
    slow: Arc<Mutex<Vec<(Duration, Duration)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Writes to `path`; the time is counted from `began` on.
    #[expect(clippy::disallowed_methods, reason = "the machine is measured")]
    pub(crate) fn new(path: &Path, began: Instant) -> Pulse {
        let (slow, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let mut file = File::create(path).unwrap();
        let (noted, stopped) = (Arc::clone(&slow), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let at = Instant::now();
                let work: u64 = (0..200_000_u64).fold(7, |sum, it| (sum ^ it).wrapping_mul(31));
                file.write_all(&work.to_le_bytes()).unwrap();
                file.sync_data().unwrap();
                let took = at.elapsed();
                if took > USUAL {
                    noted.lock().unwrap().push((at - began, took));
                }
                thread::sleep(PAUSE);
            }
        });
        Pulse { slow, stop, thread: Some(thread) }
    }

    /// How much longer than usual the engine may have needed for what came at that moment.
    pub(crate) fn late(&self, at: Duration) -> Duration {
        let slow = self.slow.lock().unwrap();
        let near = slow.iter().filter(|(when, took)| *when + *took + BEFORE >= at && *when <= at + AFTER);
        near.map(|(_, took)| *took).max().unwrap_or_default() * TIMES
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}
