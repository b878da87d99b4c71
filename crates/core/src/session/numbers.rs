//! Defines which numbers of one session have been seen: the highest, and the gaps below it.

/// The most gaps that are kept of one session.
pub const MAX_GAPS: usize = 1024;

/// Whether a number came for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// For the first time.
    New,
    /// Again: the event is a copy.
    Seen,
}

/// A set of numbers, kept as the highest and the gaps of unseen ones below it.
///
/// A client numbers its events one by one, so that the set is one number as a rule; a gap is where events wait in a spool. There
/// are at most [`MAX_GAPS`] gaps: one more, and the two with the fewest seen numbers between them become one. The numbers
/// between them are forgotten, so that their copies would count as new: a copy may be handled twice, but none is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    highest: Option<u64>,
    /// First and last number of each gap, ascending, at least one seen number between any two, none above `highest`.
    gaps: Vec<(u64, u64)>,
}

impl Numbers {
    /// Adds a number; tells whether it is new.
    pub fn observe(&mut self, number: u64) -> Observed {
        let expected = match self.highest {
            Some(highest) if number <= highest => return self.fill(number),
            Some(highest) => highest + 1,
            None => 0,
        };
        self.highest = Some(number);
        if number > expected {
            self.open(expected, number - 1);
        }
        Observed::New
    }

    /// Adds all numbers of a run.
    pub fn restore(&mut self, first: u64, last: u64) {
        let Some(highest) = self.highest else {
            self.highest = Some(last);
            if first > 0 {
                self.open(0, first - 1);
            }
            return;
        };
        let gaps = std::mem::take(&mut self.gaps);
        for (from, to) in gaps {
            if from < first {
                self.gaps.push((from, to.min(first - 1)));
            }
            if to > last {
                self.gaps.push((from.max(last + 1), to));
            }
        }
        if last > highest {
            self.highest = Some(last);
            if first > highest && first - 1 > highest {
                self.open(highest + 1, first - 1);
            }
        }
        while self.gaps.len() > MAX_GAPS {
            self.keep_the_limit();
        }
    }

    /// Takes a number back, whose event was not taken in after all: it is new when it comes again.
    pub fn forget(&mut self, number: u64) {
        if self.highest.is_none_or(|highest| number > highest) || self.gap_of(number).is_ok() {
            return;
        }
        let at = self.gaps.partition_point(|(first, _)| *first < number);
        let joins_before = at > 0 && self.gaps[at - 1].1 + 1 == number;
        let joins_after = self.gaps.get(at).is_some_and(|(first, _)| *first == number + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                self.gaps[at - 1].1 = self.gaps[at].1;
                self.gaps.remove(at);
            }
            (true, false) => self.gaps[at - 1].1 = number,
            (false, true) => self.gaps[at].0 = number,
            (false, false) => {
                self.gaps.insert(at, (number, number));
                self.keep_the_limit();
            }
        }
    }

    /// The highest number seen.
    pub const fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// First and last number of each gap below the highest, ascending.
    pub fn gaps(&self) -> &[(u64, u64)] {
        &self.gaps
    }

    fn fill(&mut self, number: u64) -> Observed {
        let Ok(at) = self.gap_of(number) else {
            return Observed::Seen;
        };
        let (first, last) = self.gaps[at];
        match (first == number, last == number) {
            (true, true) => {
                self.gaps.remove(at);
            }
            (true, false) => self.gaps[at].0 = number + 1,
            (false, true) => self.gaps[at].1 = number - 1,
            (false, false) => {
                self.gaps[at].1 = number - 1;
                self.gaps.insert(at + 1, (number + 1, last));
                self.keep_the_limit();
            }
        }
        Observed::New
    }

    /// Adds a gap above all others.
    fn open(&mut self, first: u64, last: u64) {
        // After forget() of the highest number the last gap may reach up to the new one.
        match self.gaps.last_mut() {
            Some(gap) if gap.1 + 1 == first => gap.1 = last,
            _ => self.gaps.push((first, last)),
        }
        self.keep_the_limit();
    }

    fn keep_the_limit(&mut self) {
        if self.gaps.len() <= MAX_GAPS {
            return;
        }
        let between = self.gaps.windows(2).map(|pair| pair[1].0 - pair[0].1);
        if let Some((at, _)) = between.enumerate().min_by_key(|(_, seen)| *seen) {
            self.gaps[at].1 = self.gaps[at + 1].1;
            self.gaps.remove(at + 1);
        }
    }

    /// The index of the gap that a number lies in.
    fn gap_of(&self, number: u64) -> Result<usize, usize> {
        self.gaps.binary_search_by(|(first, last)| {
            if *last < number {
                std::cmp::Ordering::Less
            } else if *first > number {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Observed::{New, Seen};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_in_order_need_no_gap() {
        let mut numbers = Numbers::default();
        for number in 0..1000 {
            assert_eq!(numbers.observe(number), New);
            assert_eq!(numbers.observe(number), Seen);
        }
        assert_eq!(numbers.gaps(), []);
        assert_eq!(numbers.highest(), Some(999));
    }

    #[test]
    fn gaps_are_split_and_filled() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.observe(10), New);
        assert_eq!(numbers.gaps(), [(0, 9)]);
        assert_eq!(numbers.observe(5), New);
        assert_eq!(numbers.gaps(), [(0, 4), (6, 9)]);
        assert_eq!(numbers.observe(5), Seen);
        assert_eq!(numbers.observe(0), New);
        assert_eq!(numbers.observe(9), New);
        assert_eq!(numbers.gaps(), [(1, 4), (6, 8)]);
        for number in [1, 2, 3, 4, 6, 7, 8] {
            assert_eq!(numbers.observe(number), New);
            assert_eq!(numbers.observe(number), Seen);
        }
        assert_eq!(numbers.gaps(), []);
    }

    #[test]
    fn the_last_number_of_all_is_no_special_one() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.observe(u64::MAX), New);
        assert_eq!(numbers.observe(u64::MAX), Seen);
        assert_eq!(numbers.observe(0), New);
        numbers.forget(u64::MAX);
        assert_eq!(numbers.observe(u64::MAX), New);
    }

    #[test]
    fn what_is_forgotten_is_new_again() {
        let mut numbers = Numbers::default();
        (0..10).for_each(|number| assert_eq!(numbers.observe(number), New));
        for number in [9, 3, 5, 4, 4, 20] {
            numbers.forget(number);
        }
        assert_eq!(numbers.gaps(), [(3, 5), (9, 9)]);
        assert_eq!(numbers.observe(11), New);
        assert_eq!(numbers.gaps(), [(3, 5), (9, 10)]);
        for number in [3, 4, 5, 9, 10] {
            assert_eq!(numbers.observe(number), New);
        }
        assert_eq!(numbers.gaps(), []);
    }

    #[test]
    fn what_was_kept_is_restored_in_any_order() {
        let mut random: u64 = 7;
        for _ in 0..200 {
            let (mut numbers, mut one_by_one) = (Numbers::default(), Numbers::default());
            for _ in 0..20 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (first, length) = ((random >> 33) % 60, (random >> 50) % 12);
                numbers.restore(first, first + length);
                for number in first..=first + length {
                    one_by_one.observe(number);
                }
                assert_eq!(numbers, one_by_one);
            }
        }
    }

    #[test]
    fn too_many_gaps_lose_no_event() {
        let mut numbers = Numbers::default();
        let odd = |index: u64| 2 * index + 1;
        for index in 0..3000 {
            assert_eq!(numbers.observe(odd(index)), New);
            assert!(numbers.gaps().len() <= MAX_GAPS);
        }
        for index in 0..3000 {
            assert_eq!(numbers.observe(2 * index), New, "never seen, so never a copy");
        }
        assert_eq!(numbers.observe(odd(2999)), Seen, "the newest are remembered");
    }

    #[test]
    fn agrees_with_a_set() {
        let mut numbers = Numbers::default();
        let mut set = HashSet::new();
        let mut random: u64 = 1;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = (random >> 33) % 700;
            if random >> 60 == 0 {
                numbers.forget(number);
                set.remove(&number);
            } else {
                let expected = if set.insert(number) { New } else { Seen };
                assert_eq!(numbers.observe(number), expected);
            }
            let gaps = numbers.gaps();
            assert!(gaps.iter().all(|(first, last)| first <= last));
            assert!(gaps.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{gaps:?}");
        }
    }
}
