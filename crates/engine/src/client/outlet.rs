//! Provides a link's way to the spool: where events go that no broker takes, and when not to wait for one.

use super::batches::GivenUp;
use crate::clock;
use crate::spool::{Circuit, Entry, Spool, SpoolError, SpoolOptions, Wait, events_wait};
use proletarier_core::frame::Session;
use proletarier_core::time::Mono;

/// After a wait in vain this link waits no more for so long, in microseconds, whatever other processes say: as the circuit does.
const IN_VAIN: u64 = 5_000_000;

/// The spool, as a link uses it.
pub(super) struct Outlet {
    spool: Spool,
    circuit: Circuit,
    /// This process has put events there that may be there still.
    undrained: bool,
    /// The broker is there, and what others have spooled before is to be looked for.
    look: bool,
    /// How many events this link has spooled.
    pub spooled: u64,
    /// When this link waited in vain: monotonic, microseconds.
    in_vain_at: Option<u64>,
}

impl Outlet {
    pub fn new(options: SpoolOptions) -> Self {
        let circuit = Circuit::new(options.clone());
        Self { spool: Spool::new(options), circuit, undrained: false, look: false, spooled: 0, in_vain_at: None }
    }

    /// Spools events of a session, all or none.
    pub fn put(&mut self, session: &Session, events: &[GivenUp], synced: bool) -> Result<(), SpoolError> {
        let entries = events.iter().map(|event| Entry { session, number: event.number, record: &event.record });
        let put = self.spool.append(entries, synced);
        if put.is_ok() {
            self.spooled += events.len() as u64;
            self.undrained = true;
        }
        put
    }

    /// Whether events that this process has spooled may still be there: its next ones with a key go behind them.
    pub fn is_undrained(&mut self) -> bool {
        // Looked at twice: a file that gets its other name just then is seen under neither.
        self.undrained = self.undrained && (self.events_wait() || self.events_wait());
        self.undrained
    }

    fn events_wait(&self) -> bool {
        events_wait(&self.spool.options().dir).is_ok_and(|wait| wait == Wait::Events)
    }

    /// Whether there is something to drain, as far as this process has a reason to look.
    pub fn has_events(&mut self) -> bool {
        (self.look || self.undrained) && {
            let waits = self.events_wait() || self.events_wait();
            (self.look, self.undrained) = (waits, self.undrained && waits);
            waits
        }
    }

    /// Whether a wait for the broker is known to be in vain.
    pub fn is_hopeless(&self) -> bool {
        self.in_vain_at.is_some_and(|at| clock::mono().since(Mono(at)) < IN_VAIN) || self.circuit.is_open()
    }

    /// A wait begins. Where the last one in vain is some time ago, this process is the one that pays for all.
    pub fn begin_wait(&self) {
        if self.circuit.is_tripped() {
            self.circuit.trip();
        }
    }

    /// A wait was in vain. `denied`: for this process's permissions, which is no word on the broker.
    pub fn waited_in_vain(&mut self, denied: bool) {
        self.in_vain_at = Some(clock::mono().0);
        if !denied {
            self.circuit.trip();
        }
    }

    /// Somebody is there: a wait is worth a try, unless others say that it is not.
    pub fn connected(&mut self) {
        self.in_vain_at = None;
    }

    /// The broker is there.
    pub fn found_broker(&mut self) {
        self.look = true;
        if self.circuit.is_tripped() {
            self.circuit.close();
        }
    }
}
