//! [`Chance`]: seeded, so that the same seed gives the same tokens. For simulations only: anyone can
//! foresee it.

/// `SplitMix64`: a few lines, good enough to make names that do not repeat.
pub struct Chance(u64);

impl Chance {
    /// The same seed, the same sequence.
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// So many random bytes in lower-case hexadecimal.
    pub fn hex(&mut self, bytes: usize) -> String {
        self.pick("0123456789abcdef", bytes * 2)
    }

    /// So many of `a-z0-9`.
    pub fn letters(&mut self, chars: usize) -> String {
        self.pick("abcdefghijklmnopqrstuvwxyz0123456789", chars)
    }

    fn pick(&mut self, from: &str, chars: usize) -> String {
        let from = from.as_bytes();
        let many = from.len() as u64;
        (0..chars)
            .map(|_| {
                let index = usize::try_from((self.next() >> 32) % many);
                char::from(from[index.expect("less than 36 fits any usize")])
            })
            .collect()
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_names() {
        assert_eq!(Chance::new(7).hex(16), Chance::new(7).hex(16));
        assert_ne!(Chance::new(7).letters(32), Chance::new(8).letters(32));
        assert_eq!(Chance::new(1).hex(16).len(), 32);
    }
}
