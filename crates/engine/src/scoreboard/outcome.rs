//! Defines what became of the last reload, as the supervisor tells it and the broker reads it.

use super::Scoreboard;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};

/// Room for why a reload failed, in bytes.
pub const MAX_ERROR: usize = 4_000;

/// Writing takes microseconds: after so many readings, with a turn for others between, the writer is taken for dead.
const TRIES: usize = 1_000;

/// The last reload that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadOutcome {
    /// Of those that were asked for, the last one that it served: 0 where none has ended.
    pub asked: u32,
    /// The generation that works: 1 at first.
    pub generation: u32,
    /// Why it failed; the generation is the old one then.
    pub error: Option<String>,
}

/// Its place in shared memory. One process writes; who reads while it does reads again.
#[repr(C)]
pub(super) struct OutcomePlace {
    /// Odd while it is written.
    version: AtomicU32,
    asked: AtomicU32,
    generation: AtomicU32,
    /// One more than the error's length; 0: no error.
    length: AtomicU32,
    error: [AtomicU8; MAX_ERROR],
}

impl OutcomePlace {
    fn read(&self) -> ReloadOutcome {
        let length = self.length.load(Ordering::Relaxed) as usize;
        let bytes: Vec<u8> =
            self.error[..length.saturating_sub(1).min(MAX_ERROR)].iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
        ReloadOutcome {
            asked: self.asked.load(Ordering::Relaxed),
            generation: self.generation.load(Ordering::Relaxed).max(1),
            error: (length > 0).then(|| String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    fn write(&self, outcome: &ReloadOutcome) {
        let error = outcome.error.as_deref().map(capped);
        self.asked.store(outcome.asked, Ordering::Relaxed);
        self.generation.store(outcome.generation, Ordering::Relaxed);
        for (place, byte) in self.error.iter().zip(error.unwrap_or_default().bytes()) {
            place.store(byte, Ordering::Relaxed);
        }
        self.length.store(error.map_or(0, |error| error.len() as u32 + 1), Ordering::Relaxed);
    }
}

/// As much of `text` as there is room for.
fn capped(text: &str) -> &str {
    let end = (0..=text.len().min(MAX_ERROR)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

impl Scoreboard {
    /// What became of the last reload that ended.
    #[must_use]
    pub fn reload_outcome(&self) -> ReloadOutcome {
        let place = &self.head().outcome;
        for _ in 0..TRIES {
            let before = place.version.load(Ordering::Acquire);
            let outcome = place.read();
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && before == place.version.load(Ordering::Relaxed) {
                return outcome;
            }
            std::thread::yield_now();
        }
        // A supervisor that was killed while it wrote writes no more: what there is has to do.
        place.read()
    }

    /// The supervisor tells what became of a reload.
    pub fn set_reload_outcome(&self, outcome: &ReloadOutcome) {
        let place = &self.head().outcome;
        place.version.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::Release);
        place.write(outcome);
        place.version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_was_written_and_an_error_is_cut_to_its_room() {
        let directory = tempfile::tempdir().unwrap();
        let board = Scoreboard::create(&directory.path().join("scoreboard"), 1).unwrap();
        assert_eq!(board.reload_outcome(), ReloadOutcome { asked: 0, generation: 1, error: None });
        for error in [Some("é".repeat(3_000)), None, Some(String::new()), Some("short".to_owned())] {
            board.set_reload_outcome(&ReloadOutcome { asked: 3, generation: 2, error: error.clone() });
            let read = board.reload_outcome();
            assert_eq!((read.asked, read.generation), (3, 2));
            let expected = error.map(|error| error.chars().take(2_000).collect::<String>());
            assert_eq!(read.error, expected);
        }
    }

    #[test]
    fn what_is_read_while_it_is_written_is_of_one_reload() {
        let directory = tempfile::tempdir().unwrap();
        let board = &Scoreboard::create(&directory.path().join("scoreboard"), 1).unwrap();
        let outcome = |asked: u32| ReloadOutcome { asked, generation: asked, error: Some(asked.to_string().repeat(300)) };
        board.set_reload_outcome(&outcome(1));
        let reads = &AtomicU32::new(0);
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || {
                for asked in 1..=2_000 {
                    let before = reads.load(Ordering::Relaxed);
                    board.set_reload_outcome(&outcome(asked));
                    // A reload lasts longer than a look at it: the next one comes when somebody has looked.
                    let mut left = 100;
                    while reads.load(Ordering::Relaxed) == before && left > 0 {
                        left -= 1;
                        std::thread::yield_now();
                    }
                }
            });
            while !writer.is_finished() {
                let read = board.reload_outcome();
                assert_eq!(read, outcome(read.asked));
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}
