//! Defines a worker's slot: who has it, what it does, and what it could say at its end.

use super::chunk::{ChunkPlace, Progress};
use crate::fork::End;
use proletarier_core::failure::Failure;
use proletarier_core::listener::ListenerIndex;
use proletarier_core::queue::{MAX_CREDIT, Remains};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Stands for no listener where one is told by its place.
const NO_LISTENER: u32 = u32::MAX;

/// Room for last words as JSON: a failure, capped, with its texts escaped.
const LAST_WORDS: usize = 60 * 1024;
const ID_WORDS: usize = 8;

/// What a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// Nobody has it.
    Free = 0,
    /// A worker has it, and is booting.
    Booting = 1,
    /// A worker has it.
    Working = 2,
    /// Its worker is dead, and the broker has not settled it.
    Dead = 3,
}

/// Whether a worker is to be replaced, between events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Relief {
    /// It stays.
    None = 0,
    /// It asks to be replaced, and works on until its replacement is there.
    Asked = 1,
    /// It is to leave after the event that it runs.
    Granted = 2,
}

/// A slot of the scoreboard. Only its worker writes what it does; broker and parent write what the fields say.
#[repr(C, align(4096))]
pub struct Slot {
    state: AtomicU32,
    pid: AtomicU32,
    incarnation: AtomicU32,
    generation: AtomicU32,
    zygote: AtomicU32,
    end: AtomicU32,
    listener: AtomicU32,
    /// Tells the worker's table of listeners from others: marks are places in it. 0: it has none yet.
    table: AtomicU64,
    /// When the running delivery was claimed: monotonic, microseconds.
    since: AtomicU64,
    /// When the running listener was entered, likewise; and how many were before it, by which one is told from the next.
    entered: AtomicU64,
    entries: AtomicU64,
    /// Whether the worker is to be replaced: [`Relief`].
    relief: AtomicU32,
    id_length: AtomicU32,
    id: [AtomicU64; ID_WORDS],
    chunks: [ChunkPlace; MAX_CREDIT],
    words_used: AtomicU32,
    words: [AtomicU8; LAST_WORDS],
}

impl Slot {
    /// What it is.
    #[must_use]
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            1 => State::Booting,
            2 => State::Working,
            3 => State::Dead,
            _ => State::Free,
        }
    }

    /// The process id of who has, or had, it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Acquire)
    }

    /// How many workers have had it.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.incarnation.load(Ordering::Acquire)
    }

    /// The zygote whose child has it.
    #[must_use]
    pub fn zygote(&self) -> u32 {
        self.zygote.load(Ordering::Acquire)
    }

    /// A parent is about to fork a worker for it.
    pub fn prepare(&self, zygote: u32, generation: u32) {
        self.incarnation.fetch_add(1, Ordering::AcqRel);
        self.zygote.store(zygote, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Relaxed);
        self.pid.store(0, Ordering::Relaxed);
        self.end.store(0, Ordering::Relaxed);
        self.listener.store(NO_LISTENER, Ordering::Relaxed);
        self.table.store(0, Ordering::Relaxed);
        self.relief.store(0, Ordering::Relaxed);
        self.id_length.store(0, Ordering::Relaxed);
        self.words_used.store(0, Ordering::Relaxed);
        for chunk in &self.chunks {
            chunk.clear();
        }
        self.state.store(State::Booting as u32, Ordering::Release);
    }

    /// Parent or child tells the pid; both know it.
    pub fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Ordering::Release);
    }

    /// The worker has booted, with the table of this fingerprint.
    pub fn booted(&self, table: u64) {
        self.table.store(table, Ordering::Relaxed);
        self.state.store(State::Working as u32, Ordering::Release);
    }

    /// Who reaped the worker says how it ended.
    pub fn died(&self, end: End) {
        self.end.store(end.pack(), Ordering::Relaxed);
        self.state.store(State::Dead as u32, Ordering::Release);
    }

    /// All that the dead worker had is settled.
    pub fn free(&self) {
        self.state.store(State::Free as u32, Ordering::Release);
    }

    fn place(&self, chunk: u32) -> &ChunkPlace {
        &self.chunks[chunk as usize % MAX_CREDIT]
    }

    /// The broker hands a chunk out.
    pub fn offer(&self, chunk: u32, tokens: impl ExactSizeIterator<Item = u64>) {
        self.place(chunk).offer(chunk, tokens);
    }

    /// The worker claims the chunk's next delivery: its place. None where nothing is left for it.
    pub fn claim(&self, chunk: u32, now: u64) -> Option<u16> {
        let claimed = self.place(chunk).claim(chunk)?;
        self.since.store(now, Ordering::Relaxed);
        Some(claimed)
    }

    /// Gives back the delivery that was claimed last and not begun, with the chunk's unclaimed rest.
    pub fn unclaim(&self, chunk: u32) {
        self.place(chunk).unclaim(chunk);
    }

    /// Gives the chunk's unclaimed rest back, to the broker: how many deliveries stay. None where the place has another chunk by now.
    pub fn give_back(&self, chunk: u32) -> Option<u16> {
        self.place(chunk).give_back(chunk)
    }

    /// How far a chunk is.
    #[must_use]
    pub fn progress(&self, chunk: u32) -> Option<Progress> {
        Some(self.place(chunk).progress()).filter(|progress| progress.is(chunk))
    }

    /// Whether another delivery's listeners have room in the chunk's marks.
    #[must_use]
    pub fn has_room(&self, chunk: u32) -> bool {
        self.place(chunk).has_room()
    }

    /// The claimed delivery is of this event: for a broker that comes after.
    pub fn set_event(&self, id: &str) {
        let bytes = &id.as_bytes()[..id.len().min(ID_WORDS * 8)];
        for (word, eight) in self.id.iter().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..eight.len()].copy_from_slice(eight);
            word.store(u64::from_le_bytes(padded), Ordering::Relaxed);
        }
        self.id_length.store(bytes.len() as u32, Ordering::Release);
    }

    /// The event whose delivery is claimed and not finished, if any.
    #[must_use]
    pub fn running_event(&self) -> Option<String> {
        let running = self.chunks.iter().map(ChunkPlace::progress).any(|progress| progress.claimed > progress.finished);
        let length = self.id_length.load(Ordering::Acquire) as usize;
        let mut bytes: Vec<u8> = self.id.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
        bytes.truncate(length);
        running.then(|| String::from_utf8(bytes).ok())?
    }

    /// Where the delivery that is claimed and not finished is: the lowest 28 bits of its chunk's number, and its place there.
    #[must_use]
    pub fn running_place(&self) -> Option<(u32, u16)> {
        let progress = self.chunks.iter().map(ChunkPlace::progress).find(|progress| progress.claimed > progress.finished)?;
        Some((progress.number, progress.claimed - 1))
    }

    /// The worker enters a listener, at this moment of the monotonic clock, in microseconds.
    pub fn enter(&self, listener: ListenerIndex, now: u64) {
        self.entered.store(now, Ordering::Relaxed);
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.listener.store(u32::from(listener), Ordering::Release);
    }

    /// The listener that runs, when it was entered, and a number that no other run in this slot has had.
    #[must_use]
    pub fn running_listener(&self) -> Option<(ListenerIndex, u64, u64)> {
        let listener = ListenerIndex::try_from(self.listener.load(Ordering::Acquire)).ok()?;
        Some((listener, self.entered.load(Ordering::Relaxed), self.entries.load(Ordering::Relaxed)))
    }

    /// When the running delivery was claimed: monotonic, microseconds.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// The generation of code that its worker runs.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Whether its worker is to be replaced.
    #[must_use]
    pub fn relief(&self) -> Relief {
        match self.relief.load(Ordering::Acquire) {
            1 => Relief::Asked,
            2 => Relief::Granted,
            _ => Relief::None,
        }
    }

    /// Its worker asks to be replaced, or its parent lets it go.
    pub fn set_relief(&self, relief: Relief) {
        self.relief.store(relief as u32, Ordering::Release);
    }

    /// The worker leaves the listener that it had entered.
    pub fn leave(&self, chunk: u32, delivery: u16, listener: ListenerIndex, failed: bool) {
        self.place(chunk).mark(delivery, listener, failed);
        self.listener.store(NO_LISTENER, Ordering::Release);
    }

    /// The claimed delivery is finished.
    pub fn finish(&self, chunk: u32, delivery: u16) {
        self.place(chunk).finish(delivery);
    }

    /// Keeps what the worker can still say.
    pub fn set_last_words(&self, failure: &Failure) {
        let mut words = serde_json::to_vec(&failure.clone().capped()).unwrap_or_default();
        if words.len() > LAST_WORDS {
            let short =
                Failure { trace: String::new(), message: failure.message.chars().take(2_000).collect(), ..failure.clone() };
            words = serde_json::to_vec(&short.capped()).unwrap_or_default();
        }
        for (place, byte) in self.words.iter().zip(&words) {
            place.store(*byte, Ordering::Relaxed);
        }
        self.words_used.store(words.len().min(LAST_WORDS) as u32, Ordering::Release);
    }

    /// What the worker could still say.
    #[must_use]
    pub fn last_words(&self) -> Option<Failure> {
        let used = (self.words_used.load(Ordering::Acquire) as usize).min(LAST_WORDS);
        let words: Vec<u8> = self.words[..used].iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
        serde_json::from_slice(&words).ok()
    }

    /// The fingerprint of its worker's table of listeners.
    #[must_use]
    pub fn table(&self) -> u64 {
        self.table.load(Ordering::Acquire)
    }

    /// What was handed out to its worker and claimed, as the store names it: chunk by chunk, with the chunks' numbers. Nothing more is
    /// claimed of these.
    pub fn revoke_all(&self) -> Vec<(u32, Vec<u64>)> {
        let used = self.chunks.iter().filter(|chunk| chunk.progress().number != 0);
        let mut chunks: Vec<_> = used.map(ChunkPlace::revoke).collect();
        chunks.sort_unstable_by_key(|(number, _)| *number);
        chunks
    }

    /// How its worker ended.
    #[must_use]
    pub fn end(&self) -> End {
        End::unpack(self.end.load(Ordering::Acquire))
    }

    /// What its dead worker leaves behind.
    #[must_use]
    pub fn remains(&self) -> Remains {
        let listener = self.listener.load(Ordering::Acquire);
        Remains {
            incarnation: self.incarnation(),
            chunks: self.chunks.iter().map(ChunkPlace::remains).filter(|chunk| chunk.number != 0).collect(),
            listener: ListenerIndex::try_from(listener).ok(),
            last_words: self.last_words(),
            end: self.end().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scoreboard;
    use super::*;
    use proletarier_core::failure::FailureKind;

    fn board() -> (tempfile::TempDir, Scoreboard) {
        let directory = tempfile::tempdir().unwrap();
        let board = Scoreboard::create(&directory.path().join("scoreboard"), 2).unwrap();
        (directory, board)
    }

    #[test]
    fn worker_and_broker_never_both_have_a_delivery() {
        let (_directory, board) = board();
        let slot = board.slot(1).unwrap();
        slot.prepare(1, 1);
        slot.offer(7, [10, 11, 12].into_iter());
        assert_eq!(slot.claim(7, 0), Some(0));
        assert_eq!(slot.give_back(7), Some(1));
        assert_eq!(slot.claim(7, 0), None);
        assert_eq!((slot.claim(3, 0), slot.give_back(3)), (None, None), "another chunk in the same place");
    }

    #[test]
    fn remains_tell_what_was_finished_what_ran_and_what_failed() {
        let (_directory, board) = board();
        let slot = board.slot(0).unwrap();
        slot.prepare(1, 1);
        slot.offer(1, [1, 2, 3].into_iter());
        assert_eq!(slot.claim(1, 0), Some(0));
        slot.leave(1, 0, 4, true);
        slot.leave(1, 0, 5, false);
        slot.finish(1, 0);
        assert_eq!(slot.claim(1, 0), Some(1));
        slot.set_event("an-event");
        slot.leave(1, 1, 4, false);
        slot.enter(5, 0);
        let words = Failure::new(FailureKind::Ended, "exit", "exit(3)");
        slot.set_last_words(&words);
        slot.died(End::Signal(9));
        let remains = slot.remains();
        assert_eq!((remains.listener, remains.last_words, &remains.end[..]), (Some(5), Some(words), "SIGKILL"));
        let chunk = &remains.chunks[0];
        assert_eq!((chunk.number, chunk.finished, chunk.claimed), (1, 1, 2));
        let marks: Vec<_> = chunk.marks.iter().map(|mark| (mark.delivery, mark.listener, mark.failed)).collect();
        assert_eq!(marks, [(0, 4, true), (1, 4, false)]);
        assert_eq!(slot.running_event().as_deref(), Some("an-event"));
    }
}
