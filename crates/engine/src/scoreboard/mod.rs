//! Provides the scoreboard: memory that broker, zygote, supervisor and workers share, backed by a file that outlives them all.
//!
//! It is how a crash is seen at once and blamed on one listener: a worker writes what it does before it does it, and whoever reads its slot
//! after its death knows what was finished, what ran, and what nobody had started. Everything in it is an atomic: no lock that a killed
//! process could keep.

mod chunk;
mod estate;
mod map;
mod outcome;
mod slot;

pub use estate::set_aside;
pub use outcome::ReloadOutcome;
pub use slot::{Relief, Slot, State};

use crate::clock;
use map::Map;
use outcome::OutcomePlace;
use proletarier_core::time::Mono;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Marks the file, with its version in the last byte: another version is another layout.
const MAGIC: u64 = u64::from_be_bytes(*b"PROLSCO\x03");

/// The file's head, pages of its own.
#[repr(C, align(4096))]
struct Head {
    magic: AtomicU64,
    slots: AtomicU64,
    /// The broker's epoch: one more for each.
    epoch: AtomicU64,
    /// The epoch of the latest broker that has bound its sockets.
    broker_ready: AtomicU64,
    /// Workers of zygotes below this one take nothing more.
    oldest_zygote: AtomicU32,
    /// The latest zygote of which a worker has booted.
    zygote_ready: AtomicU32,
    /// How many workers there should be; 0: nobody has said.
    pool_target: AtomicU32,
    /// When the broker last turned to whatever there was: monotonic, microseconds.
    broker_beat: AtomicU64,
    /// Reloads that were asked for at the control socket, and whether the daemon is to stop.
    reloads_asked: AtomicU32,
    stop_asked: AtomicU32,
    /// What became of the last reload.
    outcome: OutcomePlace,
}

/// The scoreboard as one process has it mapped. Children share it by inheriting the mapping, threads by a clone.
#[derive(Clone)]
pub struct Scoreboard {
    map: Arc<Map>,
    slots: usize,
}

impl Scoreboard {
    /// Makes a new one in `file`, replacing what is there: the lock on the directory says that nobody uses it.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(file: &Path, slots: usize) -> std::io::Result<Self> {
        let bytes = size_of::<Head>() + slots * size_of::<Slot>();
        let board = Self { map: Arc::new(Map::create(file, bytes)?), slots };
        board.head().slots.store(slots as u64, Ordering::Relaxed);
        // Begun anywhere, so that workers elsewhere tell this daemon's brokers from those of the one before it. Tokens have 24 bits for the epoch.
        board.head().epoch.store(clock::random() >> 41, Ordering::Relaxed);
        board.head().magic.store(MAGIC, Ordering::Release);
        Ok(board)
    }

    /// The one that a daemon before has left in `file`, if it is whole and of this version.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(file: &Path) -> std::io::Result<Self> {
        let map = Arc::new(Map::open(file)?);
        if map.bytes() < size_of::<Head>() {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        let slots = (map.bytes() - size_of::<Head>()) / size_of::<Slot>();
        let board = Self { map, slots };
        let whole =
            board.head().magic.load(Ordering::Acquire) == MAGIC && board.head().slots.load(Ordering::Relaxed) == slots as u64;
        if whole { Ok(board) } else { Err(std::io::ErrorKind::InvalidData.into()) }
    }

    fn head(&self) -> &Head {
        self.map.at(0)
    }

    /// Every slot, with its number.
    pub fn slots(&self) -> impl Iterator<Item = (u32, &Slot)> {
        (0..).zip((0..self.slots).map(|slot| self.map.at(size_of::<Head>() + slot * size_of::<Slot>())))
    }

    /// The slot with this number.
    #[must_use]
    pub fn slot(&self, number: u32) -> Option<&Slot> {
        let number = number as usize;
        (number < self.slots).then(|| self.map.at(size_of::<Head>() + number * size_of::<Slot>()))
    }

    /// The broker that reigns.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.head().epoch.load(Ordering::Acquire)
    }

    /// A new broker is about to reign; its epoch. From here on no worker claims anything until it met that one.
    pub fn next_epoch(&self) -> u64 {
        self.head().epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The broker of this epoch has bound its sockets.
    pub fn set_broker_ready(&self, epoch: u64) {
        self.head().broker_ready.store(epoch, Ordering::Release);
    }

    /// The epoch of the latest broker that has bound its sockets; 0: none has.
    #[must_use]
    pub fn broker_ready(&self) -> u64 {
        self.head().broker_ready.load(Ordering::Acquire)
    }

    /// The broker is alive.
    pub fn beat(&self, now: Mono) {
        self.head().broker_beat.store(now.0, Ordering::Release);
    }

    /// When the broker was last known to be alive; 0: never.
    #[must_use]
    pub fn last_beat(&self) -> Mono {
        Mono(self.head().broker_beat.load(Ordering::Acquire))
    }

    /// A worker of this zygote has booted.
    pub fn set_zygote_ready(&self, zygote: u32) {
        self.head().zygote_ready.fetch_max(zygote, Ordering::AcqRel);
    }

    /// The latest zygote of which a worker has booted; 0: none has.
    #[must_use]
    pub fn zygote_ready(&self) -> u32 {
        self.head().zygote_ready.load(Ordering::Acquire)
    }

    /// Workers of zygotes before `zygote` take nothing more.
    pub fn retire_before(&self, zygote: u32) {
        self.head().oldest_zygote.fetch_max(zygote, Ordering::AcqRel);
    }

    /// The broker says how many workers there should be; the zygote is rung after.
    pub fn set_pool_target(&self, workers: u16) {
        self.head().pool_target.store(workers.into(), Ordering::Release);
    }

    /// How many workers there should be; none: nobody has said.
    #[must_use]
    pub fn pool_target(&self) -> Option<u16> {
        u16::try_from(self.head().pool_target.load(Ordering::Acquire)).ok().filter(|target| *target > 0)
    }

    /// An operator asks for a reload; the supervisor is rung after. Which one it is, from 1.
    pub fn ask_for_reload(&self) -> u32 {
        self.head().reloads_asked.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// How many reloads were asked for.
    #[must_use]
    pub fn reloads_asked(&self) -> u32 {
        self.head().reloads_asked.load(Ordering::Acquire)
    }

    /// An operator asks the daemon to stop; the supervisor is rung after.
    pub fn ask_to_stop(&self) {
        self.head().stop_asked.store(1, Ordering::Release);
    }

    /// Whether the daemon was asked to stop.
    #[must_use]
    pub fn is_stop_asked(&self) -> bool {
        self.head().stop_asked.load(Ordering::Acquire) > 0
    }

    /// Whether workers of `zygote` take nothing more.
    #[must_use]
    pub fn is_retired(&self, zygote: u32) -> bool {
        zygote < self.head().oldest_zygote.load(Ordering::Acquire)
    }
}
