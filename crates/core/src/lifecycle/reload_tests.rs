//! Histories of reloads.

use super::Action::{Exit as Quit, KillBooting, Promote, Start, StartAnew, StartSuccessor, Stop};
use super::Child::{Broker, Zygote};
use super::Exit::{Signal as By, Status};
use super::Input::{Exited, Ready, Reload, Signal, SuccessorFailed, SuccessorReady, Tick};
use super::State::{Draining, Running, Starting, Stopped};
use super::tests::{ALL, run, started};
use super::*;

#[test]
fn a_generation_takes_over_and_its_deaths_are_made_good_from_the_command_line() {
    started(
        "reload",
        &[
            (1_000, Reload, &[StartSuccessor], Running),
            (1_100, SuccessorReady, &[Promote], Running),
            (1_110, Ready(Zygote), &[], Running),
            (40_000, Tick, &[], Running),
            (50_000, Exited(Zygote, By(9)), &[StartAnew], Running),
            (50_100, Exited(Zygote, Status(1)), &[], Running),
            (50_199, Tick, &[], Running),
            (50_200, Tick, &[StartAnew], Running),
            (80_199, Tick, &[], Running),
            (80_200, Tick, &[KillBooting], Running),
            (80_210, Exited(Zygote, By(9)), &[StartAnew], Running),
            (80_300, Ready(Zygote), &[], Running),
            (200_000, Tick, &[], Running),
            (200_001, Reload, &[StartSuccessor], Running),
        ],
    );
}

#[test]
fn a_zygote_that_dies_before_any_reload_is_forked_anew() {
    started("fork", &[(1_000, Exited(Zygote, By(9)), &[Start(Zygote)], Running)]);
}

#[test]
fn what_does_not_boot_leaves_the_old_generation_and_the_next_reload_is_another_try() {
    started(
        "failed",
        &[
            (1_000, Reload, &[StartSuccessor], Running),
            (1_100, SuccessorFailed, &[], Running),
            (1_200, SuccessorReady, &[], Running),
            (2_000, Reload, &[StartSuccessor], Running),
            (31_999, Tick, &[], Running),
            (32_000, Tick, &[KillBooting], Running),
            (32_001, Tick, &[], Running),
            (32_002, SuccessorFailed, &[], Running),
            // No generation took over: the supervisor's memory is as good as it was.
            (40_000, Exited(Zygote, By(9)), &[Start(Zygote)], Running),
        ],
    );
}

#[test]
fn reloads_asked_for_while_one_is_under_way_are_one_more() {
    let steps = [
        (1_000, Reload, &[StartSuccessor][..], Running),
        (1_010, Reload, &[], Running),
        (1_020, Reload, &[], Running),
        (1_100, SuccessorReady, &[Promote, StartSuccessor], Running),
        (1_200, SuccessorFailed, &[], Running),
        (9_000, Tick, &[], Running),
    ];
    started("again", &steps);
}

#[test]
fn a_reload_waits_for_the_daemon_to_be_there() {
    run(
        "early",
        ALL,
        &[
            (0, Tick, &[Start(Broker)], Starting),
            (1, Reload, &[], Starting),
            (5, Ready(Broker), &[Start(Zygote)], Starting),
            (30, Ready(Zygote), &[StartSuccessor], Running),
        ],
    );
}

#[test]
fn a_reload_begins_anew_where_the_zygote_before_it_dies() {
    started(
        "anew",
        &[
            (1_000, Reload, &[StartSuccessor], Running),
            (1_010, Exited(Zygote, By(9)), &[KillBooting, Start(Zygote)], Running),
            (1_020, SuccessorReady, &[], Running),
            (1_050, Ready(Zygote), &[StartSuccessor], Running),
            (1_100, SuccessorReady, &[Promote], Running),
        ],
    );
}

#[test]
fn a_broker_that_dies_is_replaced_in_a_reload_as_ever() {
    started(
        "broker",
        &[
            (1_000, Reload, &[StartSuccessor], Running),
            (1_010, Exited(Broker, By(9)), &[Start(Broker)], Running),
            (1_020, SuccessorReady, &[Promote], Running),
        ],
    );
}

#[test]
fn a_stop_ends_a_reload() {
    started(
        "stop",
        &[
            (1_000, Reload, &[StartSuccessor], Running),
            (1_010, Signal, &[KillBooting, Stop(Zygote)], Draining),
            (1_020, Reload, &[], Draining),
            (1_030, SuccessorReady, &[], Draining),
            (1_100, Exited(Zygote, Status(0)), &[Stop(Broker)], Draining),
            (1_200, Exited(Broker, Status(0)), &[Quit(0)], Stopped),
        ],
    );
}

#[test]
fn the_next_wake_is_the_end_of_the_time_to_boot() {
    let mut lifecycle = started("wake", &[(1_000, Reload, &[StartSuccessor], Running)]);
    assert_eq!(lifecycle.next_wake(), Some(Mono(31_000_000)));
    lifecycle.set_times(25_000_000, 5_000_000);
    lifecycle.handle(SuccessorFailed, Mono(2_000_000));
    assert_eq!(lifecycle.next_wake(), None);
    lifecycle.handle(Reload, Mono(3_000_000));
    assert_eq!(lifecycle.next_wake(), Some(Mono(8_000_000)));
}
