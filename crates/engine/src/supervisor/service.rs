//! Tells a service manager how the daemon is.

use super::Supervisor;
use proletarier_core::lifecycle::State;
use proletarier_core::time::Mono;

impl Supervisor<'_> {
    /// The daemon works; `error` is why its last reload failed.
    pub(super) fn tell_ready(&self, error: Option<&str>) {
        let generation = self.generation;
        let status = match error {
            Some(error) => format!("generation {generation} works on, the reload failed: {error}"),
            None => format!("generation {generation} works"),
        };
        self.notifier.ready(&status);
    }

    /// Gives a sign of life where one is wanted: not while the broker, which was rung the last time, has not turned to it since.
    pub(super) fn show_life(&mut self, now: Mono) {
        let (scoreboard, rung) = (self.scoreboard, self.rung);
        // One that starts reads its store, and one that is dead is replaced: both are seen to.
        let serves = self.broker.is_some_and(|(_, epoch)| scoreboard.broker_ready() == epoch);
        let draining = self.lifecycle.state() == State::Draining;
        let is_well = || !serves || draining || scoreboard.last_beat() >= rung;
        if self.notifier.watch(now, is_well) {
            self.rung = now;
            self.ties.broker.ring();
        }
    }
}
