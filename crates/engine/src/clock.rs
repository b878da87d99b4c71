//! Provides the two clocks and the dice, read in one place and passed on.

use nix::time::{ClockId, clock_gettime};
use proletarier_core::time::{Mono, Now, Wall};
use std::sync::atomic::{AtomicU64, Ordering};

fn read(clock: ClockId) -> u64 {
    // Both clocks exist on every system this builds on; a zero would only make things due early.
    clock_gettime(clock).map_or(0, |time| time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1_000)
}

/// The monotonic clock, in microseconds.
#[must_use]
pub fn mono() -> Mono {
    Mono(read(ClockId::CLOCK_MONOTONIC))
}

/// The wall clock, in microseconds since the epoch.
#[must_use]
pub fn wall() -> Wall {
    Wall(read(ClockId::CLOCK_REALTIME))
}

/// Both, and a throw of the dice.
#[must_use]
pub fn now() -> Now {
    Now { mono: mono(), wall: wall(), dice: dice() }
}

/// Random bits, good enough for jitter: a counter mixed (splitmix64), begun at random in each process.
#[must_use]
pub fn dice() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    static OF: AtomicU64 = AtomicU64::new(u64::MAX);
    let process = crate::fork::generation();
    if OF.swap(process, Ordering::Relaxed) != process {
        STATE.store(random(), Ordering::Relaxed);
    }
    mix(STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
}

/// Random bits from the system.
#[must_use]
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return mix(mono().0 ^ u64::from(std::process::id()) << 40);
    }
    u64::from_le_bytes(bytes)
}

/// Spreads a number over all 64 bits (the finalizer of splitmix64, public domain, Sebastiano Vigna).
#[must_use]
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
