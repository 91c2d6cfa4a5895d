//! Sets of landmarks: entries about which it is often asked whether they lie in the past of another. Each entry of
//! the DAG carries the set of those in its past, so that the question costs one look. Knows nothing of entries.

use std::sync::Arc;

/// The number of a landmark, in the order of arrival at this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Landmark(pub u32);

/// A set of landmarks. Copies share memory until they differ, and neighbours in the DAG seldom do.
#[derive(Debug, Clone, Default)]
pub struct Landmarks(Arc<Vec<u64>>);

impl Landmarks {
    /// Everything that is in one of them.
    pub fn union<'a>(sets: impl Iterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for set in sets {
            if set.covers(&all) {
                all = set.clone();
            } else if !all.covers(set) {
                let words = Arc::make_mut(&mut all.0);
                words.resize(words.len().max(set.0.len()), 0);
                words.iter_mut().zip(set.0.iter()).for_each(|(word, other)| *word |= other);
            }
        }
        all
    }

    /// Adds one.
    pub fn insert(&mut self, landmark: Landmark) {
        let (word, bit) = place(landmark);
        let words = Arc::make_mut(&mut self.0);
        words.resize(words.len().max(word + 1), 0);
        words[word] |= bit;
    }

    /// Whether one is in it.
    pub fn contains(&self, landmark: Landmark) -> bool {
        let (word, bit) = place(landmark);
        self.0.get(word).is_some_and(|found| found & bit != 0)
    }

    fn covers(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || other.0.iter().enumerate().all(|(at, word)| word & !self.0.get(at).copied().unwrap_or(0) == 0)
    }
}

fn place(landmark: Landmark) -> (usize, u64) {
    (landmark.0 as usize / 64, 1 << (landmark.0 % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[u32]) -> Landmarks {
        let mut set = Landmarks::default();
        members.iter().for_each(|member| set.insert(Landmark(*member)));
        set
    }

    #[test]
    fn a_union_holds_what_either_holds_and_nothing_else() {
        let union = Landmarks::union([&set(&[0, 200]), &set(&[63, 64]), &set(&[])].into_iter());
        let members: Vec<u32> = (0..300).filter(|n| union.contains(Landmark(*n))).collect();
        assert_eq!(members, [0, 63, 64, 200]);
    }

    #[test]
    fn a_set_that_covers_the_others_is_shared_and_not_copied() {
        let large = set(&[1, 2, 300]);
        let union = Landmarks::union([&set(&[1]), &large, &set(&[300])].into_iter());
        assert!(Arc::ptr_eq(&union.0, &large.0));
    }
}
