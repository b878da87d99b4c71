//! Works on a chunk: claims each delivery, has the application handle it, and reports.

use super::watch::DeliveryWatch;
use super::{REPORT_AFTER, Worker};
use crate::application::{Application, Attempt, Level, Moment, Outcome};
use crate::scoreboard::Relief;
use crate::{clock, fork};
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::frame::{ChunkDelivery, FailedListener, WHOLE_DELIVERY, WorkerFrame};
use proletarier_core::listener::{ListenerIndex, ListenerTable};
use proletarier_core::nearest::nearest;
use proletarier_core::record::Record;
use proletarier_core::settings::UnhandledAction;
use proletarier_core::time::Mono;
use std::fmt::Display;

impl Worker<'_> {
    /// Works on the first chunk that is not done with, until nothing of it is left for this worker or it has to look up.
    pub(super) fn handle_chunk(&mut self) {
        let Some(chunk) = self.hand.current() else { return };
        let number = chunk.number;
        let mut now = clock::mono().0;
        self.reported = now;
        while self.may_claim() && self.slot.has_room(number) {
            let Some(place) = self.slot.claim(number, now) else { break };
            if self.is_for_the_next_generation(number, place) {
                self.slot.unclaim(number);
                break;
            }
            let failed = self.handle_delivery(number, place);
            // What was triggered meanwhile is kept before the slot tells that nothing is left to do.
            self.application.settle_triggered();
            self.slot.finish(number, place);
            self.wear.handled();
            let before = now;
            now = clock::mono().0;
            if let Some(chunk) = self.hand.chunk(number) {
                chunk.micros += now - before;
            }
            self.ask_for_relief(Mono(now));
            if failed || now - self.reported > REPORT_AFTER {
                self.report_chunk(number, now);
                self.hear();
            }
            if self.should_stop_soon() {
                return;
            }
        }
        if !self.may_claim() {
            return;
        }
        // Nothing is left to claim, or there is no room for more outcomes: what is left goes back.
        self.slot.give_back(number);
        if let Some(chunk) = self.hand.chunk(number) {
            chunk.closed = true;
        }
        self.report_chunk(number, now);
    }

    /// Signals stay pending for the loop to take.
    fn should_stop_soon(&self) -> bool {
        self.signals.is_pending()
            || self.slot.relief() == Relief::Granted
            || self.post.scoreboard.is_retired(self.post.zygote)
            || super::orphan::is_orphan()
    }

    fn report_chunk(&mut self, number: u32, now: u64) {
        if let Some(chunk) = self.hand.chunk(number) {
            let report = chunk.report(self.slot);
            self.line.send(&WorkerFrame::Report(report));
        }
        self.reported = now;
    }

    /// Whether no listener here takes the event, and newer code has taken over, which may have one: it is not for this worker to bury.
    fn is_for_the_next_generation(&self, number: u32, place: u16) -> bool {
        self.post.scoreboard.is_retired(self.post.zygote)
            && self.hand.delivery(number, place).is_some_and(|delivery| {
                delivery.only.is_none() && Record::decode(&delivery.record).is_ok_and(|event| !self.table.takes(event.name))
            })
    }

    /// Handles one delivery; whether something of it failed.
    fn handle_delivery(&mut self, number: u32, place: u16) -> bool {
        let Some(delivery) = self.hand.delivery(number, place) else { return false };
        let record = delivery.record.clone();
        let event = match Record::decode(&record) {
            Ok(event) => event,
            Err(error) => {
                self.application.tell(&Moment::ReadError(&error.to_string()));
                self.fail_whole(number, place, Failure::new(FailureKind::Malformed, "malformed", error.to_string()));
                return true;
            }
        };
        let only = selected(&self.table, delivery);
        let attempt = Attempt { event, number: delivery.attempt, only: only.as_deref() };
        self.slot.set_event(event.id);
        if only.is_none()
            && !self.table.takes(event.name)
            && self.post.settings.unhandled.action(event.name) == UnhandledAction::Keep
        {
            let failure = unheard(&self.table, event.name);
            self.fail_whole(number, place, failure);
            return true;
        }
        self.entitle(Some(event.name));
        self.application.tell(&Moment::Read(&attempt));
        let started = clock::mono();
        let mut failures = Vec::new();
        let mut watch = DeliveryWatch { slot: self.slot, chunk: number, delivery: place, failures: &mut failures };
        let outcome: Outcome = self.application.handle(&attempt, &mut watch);
        if fork::generation() != self.process {
            // The handler forked and its child came back here, where it would report, and claim, in its parent's name.
            fork::exit_now(0);
        }
        if let Err(failure) = outcome {
            self.slot.leave(number, place, WHOLE_DELIVERY, true);
            failures.push(FailedListener { delivery: place, listener: WHOLE_DELIVERY, failure: failure.capped() });
        }
        let seconds = clock::mono().since(started) as f64 / 1e6;
        let ids: Vec<&str> = failures.iter().filter_map(|failed| Some(self.table.get(failed.listener)?.id.as_str())).collect();
        for failed in &failures {
            let id = self.table.get(failed.listener).map_or("", |spec| &spec.id);
            self.application.tell(&Moment::Error(&attempt, id, &failed.failure));
            log_failure(self.application, &attempt, id, &failed.failure);
        }
        self.application.tell(&Moment::Result(&attempt, &ids, seconds));
        let failed = !failures.is_empty();
        if failed && let Some(chunk) = self.hand.chunk(number) {
            chunk.failures.append(&mut failures);
        }
        failed
    }

    fn fail_whole(&mut self, number: u32, place: u16, failure: Failure) {
        self.slot.leave(number, place, WHOLE_DELIVERY, true);
        if let Some(chunk) = self.hand.chunk(number) {
            chunk.failures.push(FailedListener { delivery: place, listener: WHOLE_DELIVERY, failure });
        }
    }
}

fn log_failure(application: &mut dyn Application, attempt: &Attempt<'_>, listener: &str, failure: &Failure) {
    let place = format!("{}:{}", failure.file, failure.line);
    let mut fields: Vec<(&str, &dyn Display)> = vec![
        ("event", &attempt.event.name),
        ("id", &attempt.event.id),
        ("listener", &listener),
        ("attempt", &attempt.number),
        ("class", &failure.class),
        ("error", &failure.message),
    ];
    if !failure.file.is_empty() {
        fields.push(("at", &place));
    }
    // Where it was thrown is no fault of that place's: how the listener came there tells more.
    if failure.kind == FailureKind::TimedOut && !failure.trace.is_empty() {
        fields.push(("trace", &failure.trace));
    }
    application.log(Level::Warning, "a listener failed", &fields);
}

/// The listeners that a delivery is for, by their places here. Those that are gone are the broker's to bury.
fn selected(table: &ListenerTable, delivery: &ChunkDelivery) -> Option<Vec<ListenerIndex>> {
    let only = delivery.only.as_ref()?;
    Some(only.iter().filter_map(|id| table.find(id)).collect())
}

fn unheard(table: &ListenerTable, name: &str) -> Failure {
    let near =
        nearest(name, table.events()).map(|near| format!("; the nearest name that has one is \"{near}\"")).unwrap_or_default();
    let words = format!("no listener takes the event \"{name}\"{near}: it is kept as dead (unhandled => 'keep')");
    Failure::new(FailureKind::NoListener, "no_listener", words)
}
