//! Simulates brokers, workers and clients around the queue, kills them at every step, and checks by event and listener that what is
//! promised holds. No clock, no thread, no socket: each history is its seed.
//!
//! `PROLETARIER_SEED` runs one history alone; `PROLETARIER_HISTORIES` says how many are run.

#![allow(clippy::unwrap_used)]

mod broker;
mod client;
mod dice;
mod ledger;
mod plan;
mod scoreboard;
mod worker;
mod world;

use plan::{Kill, Plan};
use world::{Summary, World};

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn whatever_dies_what_is_accepted_is_handled_or_dead() {
    let count =
        setting("PROLETARIER_HISTORIES").unwrap_or(if std::env::var_os("PROLETARIER_SEED").is_some() { 1 } else { 2_000 });
    let first = setting("PROLETARIER_SEED").unwrap_or(1);
    let seeds = first..first + count;
    let mut all = Summary::default();
    for seed in seeds {
        let plan = Plan::random(seed);
        let told = plan.lost_slots == 0;
        let one = World::new(plan).run();
        assert!(!told || one.reruns <= one.worker_kills, "at most one listener runs again for a killed worker: seed {seed}");
        all.steps += one.steps;
        all.runs += one.runs;
        all.reruns += one.reruns;
        all.worker_kills += one.worker_kills;
        all.brokers += one.brokers;
        all.dead += one.dead;
    }
    println!("{all:?}");
}

/// The same history again and again, with a kill at each step of it in turn.
fn kill_at_every_step(base: &Plan, kill: Kill) {
    let steps = World::new(base.clone()).run().steps;
    for step in 1..=steps {
        World::new(Plan { at: Some((step, kill)), ..base.clone() }).run();
    }
}

#[test]
fn a_worker_may_die_at_any_step() {
    for seed in 1..=4 {
        for worker in 0..2 {
            kill_at_every_step(&Plan { wildcards: 1, throws: 200, ..Plan::quiet(seed, seed % 2 == 0) }, Kill::Worker(worker));
        }
    }
}

#[test]
fn a_broker_may_die_at_any_step() {
    for seed in 1..=4 {
        for durable in [true, false] {
            kill_at_every_step(&Plan { wildcards: 1, throws: 200, dies: 50, ..Plan::quiet(seed, durable) }, Kill::Broker);
        }
    }
}

/// A broker without memory goes by what clients send again, and by what its workers tell.
#[test]
fn what_clients_send_again_and_workers_tell_is_one_event() {
    for seed in 1..=300 {
        let plan = Plan { clients: 2, hears: 10, broker_kills: 10, wild_steps: 200, ..Plan::quiet(seed, false) };
        World::new(Plan { throws: 100, worker_kills: (seed % 2) as usize * 5, ..plan }).run();
    }
}

/// What is held to an order has all sorts of ways to lose it.
#[test]
fn a_key_is_handled_in_order_whatever_dies() {
    for seed in 1..=400 {
        let plan = Plan { clients: 2, events: 8, wildcards: 1, throws: 250, dies: 30, keys: 2, ..Plan::quiet(seed, true) };
        let (worker_kills, broker_kills) = ((seed % 3) as usize * 8, (seed % 4) as usize * 4);
        World::new(Plan { worker_kills, broker_kills, stops: 4, workers: 3, parallel: seed % 2 == 0, ..plan }).run();
    }
}

#[test]
fn a_key_survives_a_death_at_any_step() {
    for (seed, parallel) in [(1, false), (2, true)] {
        let plan = Plan { throws: 250, keys: 1, parallel, ..Plan::quiet(seed, true) };
        kill_at_every_step(&plan, Kill::Broker);
        kill_at_every_step(&plan, Kill::Worker(0));
    }
}

#[test]
fn one_worker_starts_events_in_their_order() {
    for seed in 1..=200 {
        World::new(Plan { workers: 1, throws: 100, events: 20, broker_kills: 10, ..Plan::quiet(seed, true) }).run();
    }
}
