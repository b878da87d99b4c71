//! Defines where the dead letters are, by their numbers, which stay the same wherever a letter is moved.

use super::parked::Place;
use std::collections::BTreeMap;

/// A letter's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter {
    pub sequence: u64,
    pub place: Place,
}

/// The dead letters, the oldest first: some 50 bytes of memory each.
#[derive(Default)]
pub(super) struct Letters {
    by_number: BTreeMap<u64, Letter>,
}

impl Letters {
    pub fn add(&mut self, number: u64, sequence: u64, place: Place) {
        self.by_number.insert(number, Letter { sequence, place });
    }

    pub fn get(&self, number: u64) -> Option<Letter> {
        self.by_number.get(&number).copied()
    }

    pub fn remove(&mut self, number: u64) {
        self.by_number.remove(&number);
    }

    pub fn after(&self, number: u64) -> impl Iterator<Item = (u64, Letter)> {
        self.by_number.range(number.saturating_add(1)..).map(|(number, letter)| (*number, *letter))
    }

    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Whether the letter of this number is this entry, and not a later copy of it.
    pub fn is_at(&self, number: u64, sequence: u64) -> bool {
        self.by_number.get(&number).is_some_and(|letter| letter.sequence == sequence)
    }
}
