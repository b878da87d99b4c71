//! Histories of daemons, each a table of what happens, when, and what is to be done.

use super::Action::{Exit as Quit, Kill, KillAll, Start, Stop};
use super::Child::{Broker, Zygote};
use super::Exit::{Signal as By, Status};
use super::Input::{Exited, Ready, Signal, Tick};
use super::State::{Draining, Running, Starting, Stopped};
use super::*;

const MS: u64 = 1000;
pub(super) const ALL: Plan = Plan { broker: true, zygote: true, grace: 25_000 * MS, boot: 30_000 * MS };

/// Milliseconds, input, the actions that follow, the state after.
pub(super) type Step<'a> = (u64, Input, &'a [Action], State);

pub(super) fn run(name: &str, plan: Plan, steps: &[Step<'_>]) -> Lifecycle {
    let mut lifecycle = Lifecycle::new(plan);
    for (index, (at, input, actions, state)) in steps.iter().enumerate() {
        let done = lifecycle.handle(*input, Mono(at * MS));
        assert_eq!(done, *actions, "{name}, step {index}");
        assert_eq!(lifecycle.state(), *state, "{name}, step {index}");
    }
    lifecycle
}

/// A daemon that has started, and then these steps.
pub(super) fn started(name: &str, steps: &[Step<'_>]) -> Lifecycle {
    let mut all: Vec<Step<'_>> = vec![
        (0, Tick, &[Start(Broker)], Starting),
        (5, Ready(Broker), &[Start(Zygote)], Starting),
        (30, Ready(Zygote), &[], Running),
    ];
    all.extend_from_slice(steps);
    run(name, ALL, &all)
}

#[test]
fn a_whole_life() {
    let lifecycle = started(
        "drained",
        &[
            (40, Ready(Zygote), &[], Running),
            (1000, Signal, &[Stop(Zygote)], Draining),
            (1010, Tick, &[], Draining),
            (1500, Exited(Zygote, Status(0)), &[Stop(Broker)], Draining),
            (1600, Exited(Broker, Status(0)), &[Quit(0)], Stopped),
            (1700, Signal, &[], Stopped),
        ],
    );
    assert_eq!(lifecycle.next_wake(), None);
}

#[test]
fn what_never_worked_stops_the_daemon() {
    for exit in [Status(EXIT_BOOT_FAILED), Status(255), Status(0), By(11)] {
        run("broker", ALL, &[(0, Tick, &[Start(Broker)], Starting), (5, Exited(Broker, exit), &[Quit(1)], Stopped)]);
        run(
            "zygote",
            ALL,
            &[
                (0, Tick, &[Start(Broker)], Starting),
                (5, Ready(Broker), &[Start(Zygote)], Starting),
                (30, Exited(Zygote, exit), &[Stop(Broker)], Draining),
                (31, Exited(Broker, Status(0)), &[Quit(1)], Stopped),
            ],
        );
    }
}

#[test]
fn the_dead_are_replaced_with_growing_pauses() {
    let lifecycle = started(
        "replaced",
        &[
            (20_000, Exited(Broker, By(9)), &[Start(Broker)], Running),
            (20_005, Exited(Broker, Status(EXIT_BOOT_FAILED)), &[], Running),
            (20_050, Tick, &[], Running),
            (20_060, Exited(Zygote, By(9)), &[Start(Zygote)], Running),
            (20_105, Tick, &[Start(Broker)], Running),
            (20_110, Ready(Broker), &[], Running),
            (20_120, Exited(Broker, Status(1)), &[], Running),
            (20_320, Tick, &[Start(Broker)], Running),
            (30_320, Exited(Broker, Status(1)), &[Start(Broker)], Running),
            (30_320, Exited(Zygote, Status(0)), &[Start(Zygote)], Running),
            (30_330, Exited(Zygote, Status(EXIT_BOOT_FAILED)), &[], Running),
        ],
    );
    assert_eq!(lifecycle.next_wake(), Some(Mono(30_430 * MS)));
    assert_eq!(lifecycle.due(Zygote), Some(Mono(30_430 * MS)));
    assert_eq!(lifecycle.due(Broker), None);
}

#[test]
fn a_broker_that_dies_before_the_first_worker_is_ready_is_replaced() {
    run(
        "broker dies while the application boots",
        ALL,
        &[
            (0, Tick, &[Start(Broker)], Starting),
            (5, Ready(Broker), &[Start(Zygote)], Starting),
            (6, Exited(Broker, By(9)), &[Start(Broker)], Starting),
            (30, Ready(Zygote), &[], Running),
        ],
    );
}

#[test]
fn a_second_signal_kills() {
    started(
        "second signal",
        &[
            (1000, Signal, &[Stop(Zygote)], Draining),
            (1001, Signal, &[KillAll], Draining),
            (1002, Signal, &[], Draining),
            (1002, Exited(Broker, By(9)), &[], Draining),
            (1003, Exited(Zygote, By(9)), &[Quit(1)], Stopped),
        ],
    );
    let lifecycle = started(
        "stuck in the kernel",
        &[
            (1000, Signal, &[Stop(Zygote)], Draining),
            (1001, Signal, &[KillAll], Draining),
            (1002, Exited(Broker, By(9)), &[], Draining),
        ],
    );
    assert_eq!(lifecycle.next_wake(), Some(Mono(3001 * MS)));
    let mut lifecycle = lifecycle;
    assert_eq!(lifecycle.handle(Tick, Mono(3001 * MS)), [Quit(1)]);
}

#[test]
fn the_deadline_kills_workers_first() {
    let lifecycle = started("wakes", &[(1000, Signal, &[Stop(Zygote)], Draining)]);
    assert_eq!(lifecycle.next_wake(), Some(Mono(25_000 * MS)));
    started(
        "the broker settles what was killed",
        &[
            (1000, Signal, &[Stop(Zygote)], Draining),
            (25_000, Tick, &[Kill(Zygote)], Draining),
            (25_001, Tick, &[], Draining),
            (25_002, Exited(Zygote, By(9)), &[Stop(Broker)], Draining),
            (25_010, Exited(Broker, Status(0)), &[Quit(1)], Stopped),
        ],
    );
    let lifecycle = started(
        "the broker hangs as well",
        &[
            (1000, Signal, &[Stop(Zygote)], Draining),
            (25_000, Tick, &[Kill(Zygote)], Draining),
            (25_002, Exited(Zygote, By(9)), &[Stop(Broker)], Draining),
        ],
    );
    assert_eq!(lifecycle.next_wake(), Some(Mono(26_000 * MS)));
    let mut lifecycle = lifecycle;
    assert_eq!(lifecycle.handle(Tick, Mono(26_000 * MS)), [KillAll]);
    assert_eq!(lifecycle.handle(Exited(Broker, By(9)), Mono(26_001 * MS)), [Quit(1)]);
}

#[test]
fn a_broker_that_dies_while_draining() {
    started(
        "is replaced while there are workers",
        &[
            (1000, Signal, &[Stop(Zygote)], Draining),
            (1100, Exited(Broker, By(9)), &[Start(Broker)], Draining),
            (1200, Exited(Zygote, Status(0)), &[Stop(Broker)], Draining),
            (1300, Exited(Broker, Status(0)), &[Quit(0)], Stopped),
        ],
    );
    started(
        "is not replaced after them",
        &[
            (1000, Signal, &[Stop(Zygote)], Draining),
            (1100, Exited(Broker, By(9)), &[Start(Broker)], Draining),
            (1101, Exited(Broker, By(9)), &[], Draining),
            (1150, Exited(Zygote, Status(0)), &[Quit(1)], Stopped),
        ],
    );
    started(
        "fails at its end",
        &[
            (1000, Signal, &[Stop(Zygote)], Draining),
            (1150, Exited(Zygote, By(9)), &[Stop(Broker)], Draining),
            (1160, Exited(Broker, By(9)), &[Quit(1)], Stopped),
        ],
    );
}

#[test]
fn signals_while_starting() {
    run("before anything", ALL, &[(0, Signal, &[Quit(0)], Stopped)]);
    run(
        "before the broker is ready",
        ALL,
        &[
            (0, Tick, &[Start(Broker)], Starting),
            (1, Signal, &[Stop(Broker)], Draining),
            (2, Ready(Broker), &[], Draining),
            (3, Exited(Broker, Status(0)), &[Quit(0)], Stopped),
        ],
    );
    run(
        "before a worker is ready",
        ALL,
        &[
            (0, Tick, &[Start(Broker)], Starting),
            (1, Ready(Broker), &[Start(Zygote)], Starting),
            (2, Signal, &[Stop(Zygote)], Draining),
            (3, Exited(Zygote, Status(EXIT_BOOT_FAILED)), &[Stop(Broker)], Draining),
            (4, Exited(Broker, Status(0)), &[Quit(0)], Stopped),
        ],
    );
}

#[test]
fn a_signal_while_a_child_is_waited_for() {
    started(
        "zygote",
        &[
            (100, Exited(Zygote, By(9)), &[Start(Zygote)], Running),
            (110, Exited(Zygote, By(9)), &[], Running),
            (120, Signal, &[Stop(Broker)], Draining),
            (130, Exited(Broker, Status(0)), &[Quit(0)], Stopped),
        ],
    );
}

#[test]
fn parts_of_a_daemon_live_alone() {
    let broker = Plan { zygote: false, ..ALL };
    run(
        "broker alone",
        broker,
        &[
            (0, Tick, &[Start(Broker)], Starting),
            (5, Ready(Broker), &[], Running),
            (50, Signal, &[Stop(Broker)], Draining),
            (60, Exited(Broker, Status(0)), &[Quit(0)], Stopped),
        ],
    );
    let workers = Plan { broker: false, ..ALL };
    run(
        "workers alone",
        workers,
        &[
            (0, Tick, &[Start(Zygote)], Starting),
            (5, Ready(Zygote), &[], Running),
            (50, Signal, &[Stop(Zygote)], Draining),
            (60, Exited(Zygote, Status(0)), &[Quit(0)], Stopped),
        ],
    );
}

#[test]
fn no_grace_kills_at_once() {
    let plan = Plan { grace: 0, ..ALL };
    run(
        "no grace",
        plan,
        &[
            (0, Tick, &[Start(Broker)], Starting),
            (5, Ready(Broker), &[Start(Zygote)], Starting),
            (6, Signal, &[KillAll], Draining),
            (7, Exited(Zygote, By(9)), &[], Draining),
            (7, Exited(Broker, By(9)), &[Quit(1)], Stopped),
        ],
    );
}

#[test]
fn an_exit_is_counted_once() {
    started(
        "twice",
        &[
            (100, Exited(Zygote, By(9)), &[Start(Zygote)], Running),
            (110, Exited(Zygote, By(9)), &[], Running),
            (110, Exited(Zygote, By(9)), &[], Running),
            (210, Tick, &[Start(Zygote)], Running),
        ],
    );
}

/// Whatever happens, a daemon that was told to stop ends by its deadline plus the time for killing.
#[test]
fn every_daemon_ends_in_time() {
    let mut random: u64 = 7;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for history in 0..5000 {
        let mut lifecycle = Lifecycle::new(ALL);
        let mut now = Mono(0);
        let mut alive = [false; 2];
        let mut told: Option<Mono> = None;
        let mut killed = false;
        let mut successor = false;
        let mut actions = lifecycle.handle(Tick, now);
        loop {
            for action in actions.drain(..) {
                match action {
                    Start(child) => {
                        assert!(!alive[child as usize], "history {history}: {child:?} twice");
                        alive[child as usize] = true;
                    }
                    Stop(child) | Kill(child) => {
                        assert!(alive[child as usize], "history {history}")
                    }
                    KillAll => killed = true,
                    Action::StartAnew => {
                        assert!(!alive[Zygote as usize] && !successor, "history {history}: a zygote too many");
                        alive[Zygote as usize] = true;
                    }
                    Action::StartSuccessor => {
                        assert!(alive[Zygote as usize] && !successor, "history {history}: a successor without a zygote");
                        successor = true;
                    }
                    Action::Promote => {
                        assert!(successor, "history {history}");
                        successor = false;
                    }
                    // Where it is no successor, it is a zygote that will be heard of.
                    Action::KillBooting => successor = false,
                    Quit(_) => assert!(killed || alive == [false; 2], "history {history}"),
                }
            }
            if lifecycle.state() == Stopped {
                break;
            }
            if lifecycle.state() == Draining && told.is_none() {
                told = Some(now);
            }
            let wake = lifecycle.next_wake();
            assert!(wake.is_none_or(|wake| wake > now), "history {history}: wakes for nothing");
            // Mostly time passes; a deadline is met, late by chance.
            now = match wake {
                Some(wake) if next(2) == 0 => wake.plus(next(3)),
                _ => now.plus(next(2_000_000)),
            };
            if let (Some(wake), Some(_)) = (wake, told) {
                now = now.min(wake.plus(10));
            }
            let child = if next(2) == 0 { Broker } else { Zygote };
            let input = match next(11) {
                8 => Input::Reload,
                9 if successor => Input::SuccessorReady,
                10 if successor => {
                    successor = false;
                    Input::SuccessorFailed
                }
                0 if told.is_none() || next(20) == 0 => Signal,
                1 | 2 if alive[child as usize] => Ready(child),
                3 if alive[child as usize] => {
                    alive[child as usize] = false;
                    Exited(child, if next(2) == 0 { Status(next(4) as i32) } else { By(9) })
                }
                _ => Tick,
            };
            actions = lifecycle.handle(input, now);
            if let Some(told) = told {
                assert!(now.since(told) < ALL.grace + KILL_TIME + 1000, "history {history}");
            }
        }
        assert!(lifecycle.handle(Tick, now).is_empty());
    }
}
