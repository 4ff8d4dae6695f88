//! Chance that follows from a seed.

/// Dice that fall the same way each time for the same seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own, so that more throws in one place do not change those in another.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// Steele, Lea and Flood's SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be zero. The slight bias does not matter here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True in so many of a thousand throws.
    pub fn permille(&mut self, count: u64) -> bool {
        self.below(1_000) < count
    }

    /// One of them, or nothing of nothing.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.place(of.len())) }
    }

    /// A place in a list of this length, which must not be zero.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// The place of one of the weights, each as often as its weight says; nothing if all are zero.
    pub fn weighted(&mut self, weights: &[u64]) -> Option<usize> {
        let sum: u64 = weights.iter().sum();
        if sum == 0 {
            return None;
        }
        let mut left = self.below(sum);
        weights.iter().position(|weight| {
            let hit = left < *weight;
            left = left.wrapping_sub(*weight);
            hit
        })
    }
}
