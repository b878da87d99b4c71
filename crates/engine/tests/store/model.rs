//! Random histories, with openings at any point, on each adapter and on the model beside it.

use crate::dice::{Dice, hash};
use crate::disk::Ram;
use crate::world::{End, Remembered, Subject, World};
use crate::{each_seed, measures};
use proletarier_core::backlog::Memory;
use proletarier_core::time::Now;
use proletarier_engine::store::{Options, Store, open_with};
use std::sync::Arc;

/// The store on a disk in memory.
pub struct OnDisk {
    pub disk: Ram,
    pub options: Options,
}

impl Subject for OnDisk {
    type Backlog = Store;

    fn open(&mut self, before: Option<Store>, now: Now) -> Option<(Store, Option<Remembered>)> {
        drop(before);
        let (store, found) = open_with(Arc::new(self.disk.clone()), 7, now, self.options).ok()?;
        let remembered = Remembered {
            is_whole: found.losses.is_none(),
            missing: found.losses.missing.len(),
            sessions: found.sessions,
            uniques: found.uniques,
            keys: found.keys,
        };
        Some((store, Some(remembered)))
    }

    fn keeps_order(&self) -> bool {
        true
    }

    fn rest(&self, store: &mut Store) {
        store.come_to_rest();
    }
}

struct InMemory;

impl Subject for InMemory {
    type Backlog = Memory;

    fn open(&mut self, before: Option<Memory>, _: Now) -> Option<(Memory, Option<Remembered>)> {
        Some(before.map_or_else(
            || (Memory::new(5), None),
            |mut memory| {
                memory.reopen();
                (memory, None)
            },
        ))
    }

    fn keeps_order(&self) -> bool {
        false
    }
}

fn run<S: Subject>(subject: S, seed: u64) {
    let mut world = World::new(subject, Dice::new(hash("model", &[seed])));
    assert!(world.begin());
    for _ in 0..20 + world.dice.below(600) {
        world.step();
        assert!(!world.has_failed);
        if world.dice.chance(world.habits.reopens) {
            if world.dice.chance(500) {
                world.poll();
            }
            assert!(world.reopen(End::Kill));
        }
    }
    world.poll();
    world.reopen(End::Kill);
    world.drain();
}

#[test]
fn the_store_does_what_the_model_does() {
    each_seed(100, |seed| {
        let mut dice = Dice::new(hash("measures", &[seed]));
        run(OnDisk { disk: Ram::default(), options: measures(&mut dice) }, seed);
    });
}

#[test]
fn the_memory_does_what_the_model_does() {
    each_seed(100, |seed| run(InMemory, seed));
}
