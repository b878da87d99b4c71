//! Tests of the embedded store: the rules of the port, a model beside it, lost power, damage and full disks.
//!
//! `PROLETARIER_SEED` runs one history alone; `PROLETARIER_HISTORIES` says how many are run.

#![allow(clippy::unwrap_used, reason = "tests")]

mod conforms;
mod damage;
#[allow(dead_code, reason = "the simulator has use for all of it")]
#[path = "../../../core/tests/simulator/dice.rs"]
mod dice;
mod disk;
mod full;
mod lanes;
mod large;
mod lock;
mod model;
mod power;
mod reopened;
mod told;
mod versions;
mod world;

use dice::Dice;
use proletarier_engine::store::Options;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Runs histories by their seeds; a failing one's is printed.
fn each_seed(count: u64, run: impl Fn(u64)) {
    let alone = setting("PROLETARIER_SEED");
    let count = setting("PROLETARIER_HISTORIES").unwrap_or(if alone.is_some() { 1 } else { count });
    let first = alone.unwrap_or(1);
    for seed in first..first + count {
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed)));
        if let Err(panic) = ran {
            eprintln!("PROLETARIER_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Measures so small that files roll, go, and are emptied all the time.
fn measures(dice: &mut Dice) -> Options {
    let smallest = [1024, 2048, 4096, 16384][dice.below(4)];
    Options {
        threaded: false,
        smallest,
        largest: smallest * [1, 4][dice.below(2)],
        in_memory: [0, 3, 1000][dice.below(3)],
        front: [64, 1000, 1 << 20][dice.below(3)],
        due: [3, 4096][dice.below(2)],
        slack: [0, 2048, 1 << 20][dice.below(3)],
    }
}
