//! [`Shared`]: the simulation's state, held by its servers and by the test or demo that started them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sim::bitrix::Bitrix;
use crate::sim::notifiers::Notifiers;

/// Tells the time, in milliseconds since 1970.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The simulation's state. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Shared {
    bitrix: Arc<Mutex<Bitrix>>,
    notifiers: Arc<Mutex<Notifiers>>,
    now: NowMs,
}

impl Shared {
    /// A new one.
    pub fn new(bitrix: Bitrix, notifiers: Notifiers, now: NowMs) -> Shared {
        let (bitrix, notifiers) = (Mutex::new(bitrix), Mutex::new(notifiers));
        Shared { bitrix: Arc::new(bitrix), notifiers: Arc::new(notifiers), now }
    }

    /// The portal and the token server. Held only between two awaits.
    pub fn bitrix(&self) -> MutexGuard<'_, Bitrix> {
        // A test that panicked while it held the state says so itself; the servers go on.
        self.bitrix.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The providers and their messages. Held only between two awaits.
    pub fn notifiers(&self) -> MutexGuard<'_, Notifiers> {
        self.notifiers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The simulation's time.
    pub fn now(&self) -> i64 {
        (self.now)()
    }
}
