//! [`Shares`]: how much each of many takes at once, and that none takes more than its share.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What each of many has taken.
#[derive(Debug)]
pub struct Shares<K: Eq + Hash> {
    each: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// One that is taken; free again when this is dropped.
#[derive(Debug)]
pub struct Share<K: Eq + Hash + Clone> {
    of: Arc<Shares<K>>,
    who: K,
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// Nothing is taken yet, and nobody takes more than `each` at once.
    pub fn new(each: usize) -> Arc<Shares<K>> {
        Arc::new(Shares { each, taken: Mutex::default() })
    }

    /// One more for `who`; none if they have their share.
    pub fn take(self: &Arc<Self>, who: K) -> Option<Share<K>> {
        let mut all = self.lock();
        let many = all.entry(who.clone()).or_default();
        if *many >= self.each {
            return None;
        }
        *many += 1;
        drop(all);
        Some(Share { of: Arc::clone(self), who })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Drop for Share<K> {
    fn drop(&mut self) {
        let mut all = self.of.lock();
        if let Some(many) = all.get_mut(&self.who) {
            *many -= 1;
            if *many == 0 {
                all.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_than_their_share() {
        let shares = Shares::new(2);
        let (one, two) = (shares.take("ann"), shares.take("ann"));
        assert!(one.is_some() && two.is_some());
        assert!(shares.take("ann").is_none() && shares.take("bob").is_some());
        drop(one);
        assert!(shares.take("ann").is_some());
        drop(two);
        assert!(shares.lock().is_empty(), "who has nothing is not remembered: {shares:?}");
    }
}
