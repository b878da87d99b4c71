//! Provides event ids: UUIDv7 (RFC 9562), in order within a process, at the cost of a counter.

use crate::{clock, fork};
use std::cell::Cell;
use uuid::Uuid;

thread_local! {
    /// Process, random start, and how many were made.
    static STATE: Cell<(u64, u64, u64)> = const { Cell::new((u64::MAX, 0, 0)) };
}

/// Writes the id of an event triggered at `wall` (microseconds) into `out`.
///
/// 48 bits of milliseconds and 12 of their fraction order ids by time; 62 bits are a counter, mixed with the process's random start, so that no two
/// processes make the same.
pub fn new_id(wall: u64, out: &mut [u8; 36]) -> &str {
    let (process, start, count) = STATE.get();
    let current = fork::generation();
    let (start, count) = if process == current { (start, count + 1) } else { (clock::random(), 0) };
    STATE.set((current, start, count));
    let (millis, fraction) = (wall / 1_000, (wall % 1_000) * 4_096 / 1_000);
    let high = millis << 16 | 0x7000 | fraction;
    let low = clock::mix(start.wrapping_add(count)) & (u64::MAX >> 2) | 1 << 63;
    let uuid = Uuid::from_u64_pair(high, low);
    uuid.hyphenated().encode_lower(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_and_all_different() {
        let mut seen = std::collections::HashSet::new();
        for micros in 0..10_000 {
            let mut out = [0; 36];
            let id = new_id(1_700_000_000_000_000 + micros / 10, &mut out).to_owned();
            assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 7);
            assert!(seen.insert(id));
        }
    }
}
