//! Ends at every call to the disk: the process is killed, or power is lost, and what was said to be kept is there.

use crate::dice::{Dice, hash};
use crate::disk::{Cut, Ram};
use crate::model::OnDisk;
use crate::world::{End, World};
use crate::{each_seed, measures, setting};
use proletarier_engine::store::Options;

/// A history; where it ended, by the disk's calls.
fn history(seed: u64, options: Options, cut_at: Option<u64>, cut: Cut) -> u64 {
    let disk = Ram::default();
    disk.cut_at(cut_at);
    let mut world = World::new(OnDisk { disk: disk.clone(), options }, Dice::new(hash("power", &[seed])));
    if cut == Cut::Power {
        world.habits.syncs = world.habits.syncs.max(200);
    }
    if world.begin() {
        for _ in 0..40 {
            world.step();
            if world.has_failed {
                break;
            }
            if world.dice.chance(world.habits.reopens * 2) && !world.reopen(End::Kill) {
                break;
            }
        }
    }
    let Some(at) = cut_at else { return disk.calls() };
    world.drop_backlog();
    // What is left goes on, and ends once more.
    let mut dice = Dice::new(hash("cut", &[seed, at]));
    for round in 0..2 {
        let left = world.subject.disk.after(cut, &mut dice);
        world.subject.disk = left;
        assert!(world.reopen(if cut == Cut::Kill { End::Kill } else { End::Power }), "it does not open");
        if round == 0 {
            let calls = dice.below(60) as u64;
            world.subject.disk.cut_at(Some(calls + 1));
            for _ in 0..15 {
                world.step();
                if world.has_failed {
                    break;
                }
            }
            world.drop_backlog();
            world.subject.disk.cut_at(None);
        }
    }
    world.drain();
    0
}

fn at_every_call(histories: u64, cut: Cut) {
    each_seed(histories, |seed| {
        let options = measures(&mut Dice::new(hash("measures", &[seed])));
        let calls = history(seed, options, None, cut);
        let only = setting("PROLETARIER_CUT");
        for at in (1..=calls).filter(|at| only.is_none_or(|only| only == *at)) {
            let ran = std::panic::catch_unwind(|| history(seed, options, Some(at), cut));
            if let Err(panic) = ran {
                eprintln!("PROLETARIER_CUT={at}");
                std::panic::resume_unwind(panic);
            }
        }
    });
}

#[test]
fn what_is_synced_outlives_lost_power() {
    at_every_call(25, Cut::Power);
}

#[test]
fn what_is_done_outlives_a_kill() {
    at_every_call(12, Cut::Kill);
}
