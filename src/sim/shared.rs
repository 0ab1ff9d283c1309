//! [`Shared`]: the simulation's state, held by its servers and by the test or demo that started them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sim::bitrix::Bitrix;
use crate::sim::habits::Habits;
use crate::sim::notifiers::Notifiers;
use crate::sim::oauth2::Provider;

/// Tells the time, in milliseconds since 1970.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The simulation's state. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Shared {
    bitrix: Arc<Mutex<Bitrix>>,
    notifiers: Arc<Mutex<Notifiers>>,
    oauth2: Arc<Mutex<Provider>>,
    now: NowMs,
}

impl Shared {
    /// A new one.
    pub fn new(bitrix: Bitrix, notifiers: Notifiers, now: NowMs) -> Shared {
        let oauth2 = Provider::new(Habits::default(), bitrix.config().seed);
        let (bitrix, notifiers) = (Mutex::new(bitrix), Mutex::new(notifiers));
        let oauth2 = Arc::new(Mutex::new(oauth2));
        Shared { bitrix: Arc::new(bitrix), notifiers: Arc::new(notifiers), oauth2, now }
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

    /// The OAuth 2.0 provider. Held only between two awaits.
    pub fn oauth2(&self) -> MutexGuard<'_, Provider> {
        self.oauth2.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The simulation's time.
    pub fn now(&self) -> i64 {
        (self.now)()
    }
}
