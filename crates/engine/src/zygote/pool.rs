//! Keeps a zygote's workers as many as there should be: forks those that are missing, and lets go of those that are too many or ask to be replaced,
//! these only when their replacements are there.

use super::{Seat, Zygote};
use crate::application::Level;
use crate::scoreboard::{Relief, Slot, State};
use crate::{fork, log};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use proletarier_core::time::Mono;
use std::convert::Infallible;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

/// A worker as the pool sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    pid: Pid,
    booting: bool,
    idle: bool,
    relief: Relief,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// So many workers are to be forked.
    fork: usize,
    /// These are to leave after what they run.
    let_go: Vec<Pid>,
}

/// Plans for a pool of `target` workers. `members` are in the order in which they asked for relief, those that did not in any.
///
/// Of the pool a quarter is replaced at a time, one at least: a replacement is a worker more, and those of a pool that began together would boot
/// together.
fn plan(target: usize, members: &[Member]) -> Plan {
    let count = |is: &dyn Fn(&&Member) -> bool| members.iter().filter(is).count();
    let leaving = count(&|member| member.relief == Relief::Granted);
    let asked = count(&|member| member.relief == Relief::Asked);
    let replaced = asked.min((target / 4).max(1).saturating_sub(leaving));
    let fork = (target + replaced).saturating_sub(members.len() - leaving);
    let mut may_go: Vec<_> = members.iter().filter(|member| !member.booting && member.relief != Relief::Granted).collect();
    let surplus = may_go.len().saturating_sub(target);
    may_go.sort_by_key(|member| (member.relief != Relief::Asked, !member.idle));
    Plan { fork, let_go: may_go.iter().take(surplus).map(|member| member.pid).collect() }
}

impl Zygote<'_> {
    /// How many workers there should be: what the broker says, where it is on this machine and the number may change; else the most.
    fn target(&self) -> usize {
        let size = self.post.settings.worker.pool_size;
        let said = if self.post.broker_here { Some(self.post.scoreboard.pool_target().unwrap_or(size.min)) } else { None };
        said.map_or(size.max, |target| target.clamp(size.min, size.max)).into()
    }

    fn plan(&mut self) -> Plan {
        // The first worker shows whether the application boots at all: one error, and not one for each worker.
        let proven = self.post.scoreboard.zygote_ready() >= self.post.number;
        let board = self.post.scoreboard;
        let slot = |pid: &Pid| self.children.get(pid).and_then(|number| board.slot(*number));
        let has_asked = |pid: &Pid| slot(pid).is_some_and(|slot| slot.relief() == Relief::Asked);
        self.asked.retain(has_asked);
        let new: Vec<_> = self.children.keys().filter(|pid| !self.asked.contains(pid) && has_asked(pid)).copied().collect();
        self.asked.extend(new);
        let others = self.children.keys().filter(|pid| !self.asked.contains(pid));
        let members: Vec<_> = self.asked.iter().chain(others).filter_map(|pid| Some(member(*pid, slot(pid)?))).collect();
        plan(if proven { self.target() } else { 1 }, &members)
    }

    /// Forks workers until there are enough, and lets go of those that may leave.
    pub(super) fn fill(&mut self, now: Mono, worker: &mut dyn FnMut(Seat) -> Infallible) {
        if self.is_retired() {
            // All of them leave.
            return;
        }
        let plan = self.plan();
        plan.let_go.iter().for_each(|pid| self.let_go(*pid));
        for _ in 0..plan.fork {
            if now < self.not_before || !self.fork(now, worker) {
                return;
            }
        }
    }

    /// The worker leaves after what it runs; at once, where it runs nothing.
    fn let_go(&self, pid: Pid) {
        let Some(slot) = self.children.get(&pid).and_then(|number| self.post.scoreboard.slot(*number)) else { return };
        slot.set_relief(Relief::Granted);
        // Either this sees what the worker runs, or the worker sees this before it waits.
        fence(Ordering::SeqCst);
        if slot.running_event().is_none() {
            fork::signal(pid, Signal::SIGTERM);
        }
    }

    /// Forks a worker; whether that went well.
    fn fork(&mut self, now: Mono, worker: &mut dyn FnMut(Seat) -> Infallible) -> bool {
        let free = self.post.scoreboard.slots().find(|(_, slot)| slot.state() == State::Free);
        // Every slot is being settled: the broker rings when one is free.
        let Some((number, slot)) = free else { return false };
        slot.prepare(self.post.number, self.post.generation);
        let predecessor = self.predecessors.get(&number).cloned();
        let (life, leave) = match (self.life.for_child(), self.leave.for_child()) {
            (Ok(life), Ok(leave)) => (life, leave),
            (Err(error), _) | (_, Err(error)) => return self.fork_failed(number, error, now),
        };
        let held = [&self.life, &self.leave];
        let child = || {
            held.iter().for_each(|line| line.let_go());
            worker(Seat { slot: number, predecessor, life, leave })
        };
        match fork::spawn(child) {
            Ok(pid) => {
                slot.set_pid(pid.as_raw() as u32);
                self.children.insert(pid, number);
                true
            }
            Err(error) => self.fork_failed(number, error, now),
        }
    }

    fn fork_failed(&mut self, slot: u32, error: nix::Error, now: Mono) -> bool {
        if let Some(slot) = self.post.scoreboard.slot(slot) {
            slot.free();
        }
        self.not_before = self.respawn.failed(now);
        log::line(Level::Error, "can't fork a worker", &[("error", &error.desc())]);
        false
    }

    /// How long nobody is to be forked that is missing; none: nobody is, or it is the broker that they wait for.
    pub(super) fn pause(&mut self, now: Mono) -> Option<Duration> {
        if self.children.is_empty() && !self.is_in_charge() {
            // No slot is free, and the bell is another's.
            return Some(Duration::from_millis(50));
        }
        (self.not_before > now && self.plan().fork > 0).then(|| Duration::from_micros(self.not_before.since(now)))
    }
}

fn member(pid: Pid, slot: &Slot) -> Member {
    let booting = slot.state() == State::Booting;
    Member { pid, booting, idle: slot.running_event().is_none(), relief: slot.relief() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `b`: booting, `i`: idle, `r`: runs something, `a`: the same and asks, `A`: asks and is idle, `g`: let go. The pid is the place, from 1.
    fn planned(target: usize, pool: &str) -> (usize, Vec<i32>) {
        let member = |(pid, is): (i32, char)| Member {
            pid: Pid::from_raw(pid),
            booting: is == 'b',
            idle: matches!(is, 'i' | 'A'),
            relief: match is {
                'a' | 'A' => Relief::Asked,
                'g' => Relief::Granted,
                _ => Relief::None,
            },
        };
        let members: Vec<_> = (1..).zip(pool.chars()).map(member).collect();
        let plan = plan(target, &members);
        (plan.fork, plan.let_go.into_iter().map(Pid::as_raw).collect())
    }

    #[test]
    fn who_is_missing_is_forked() {
        assert_eq!(planned(3, ""), (3, vec![]));
        assert_eq!(planned(3, "bi"), (1, vec![]));
        assert_eq!(planned(3, "iri"), (0, vec![]));
    }

    #[test]
    fn who_asks_leaves_when_the_replacement_is_there() {
        assert_eq!(planned(3, "aii"), (1, vec![]));
        assert_eq!(planned(3, "aiib"), (0, vec![]), "it boots");
        assert_eq!(planned(3, "aiii"), (0, vec![1]));
        assert_eq!(planned(3, "giii"), (0, vec![]));
        assert_eq!(planned(1, "a"), (1, vec![]));
    }

    #[test]
    fn a_quarter_is_replaced_at_a_time() {
        assert_eq!(planned(8, "aaaaaaaa"), (2, vec![]));
        assert_eq!(planned(8, "aaaaaaaabb"), (0, vec![]));
        assert_eq!(planned(8, "aaaaaaaaib"), (0, vec![1]));
        assert_eq!(planned(8, "gaaaaaaaib"), (0, vec![]), "those that still run something are part of it");
        assert_eq!(planned(8, "aaaaaaaii"), (1, vec![1]), "the next one's replacement boots meanwhile");
        assert_eq!(planned(3, "aaa"), (1, vec![]), "one at least");
    }

    #[test]
    fn a_death_beside_a_replacement_is_made_good() {
        assert_eq!(planned(3, "aib"), (1, vec![]));
        assert_eq!(planned(3, "iib"), (0, vec![]), "the one that asked is dead: its replacement stays");
    }

    #[test]
    fn too_many_go_the_idle_first() {
        assert_eq!(planned(2, "riri"), (0, vec![2, 4]));
        assert_eq!(planned(2, "rrr"), (0, vec![1]));
        assert_eq!(planned(2, "ira"), (0, vec![3]), "before them those that ask");
    }
}
