//! Drains this machine's spool: file by file, in slices, each taken in before anything new is. A file goes once all of it is kept and synced.

use super::Broker;
use crate::clock;
use crate::spool::{self, Circuit, Claim, Draining, SpoolError, SpoolOptions, Spooled, Unreadable, Wait, events_wait};
use crate::transport::Source;
use proletarier_core::backlog::Origin;
use proletarier_core::queue::Reply;
use proletarier_core::settings::Settings;
use proletarier_core::time::{Mono, Wall};
use std::collections::VecDeque;
use watch::Watch;

/// Bytes taken in one turn of the loop.
const SLICE: usize = 256 * 1024;
/// Where nothing tells of changes, and where the spool can't be drained just now, it is looked at again after so many microseconds.
const LOOK_AGAIN: u64 = 5_000_000;
/// The same where a file could not be opened: what mends that is not always told.
const PASSED_OVER: u64 = 60_000_000;
/// The same where a writer had the lock.
const SOON: u64 = 20_000;
/// The same while too much waits: that ends by what workers do, which wakes the loop, or by room on a disk, which does not.
const OVERLOADED: u64 = 1_000_000;

/// What drains, and how far it is.
pub(super) struct Drain {
    options: SpoolOptions,
    watch: Option<Watch>,
    /// When the spool is to be looked at.
    look_at: Option<Mono>,
    claim: Option<Claim>,
    stage: Stage,
    /// Events taken in since the spool was empty.
    count: u64,
}

enum Stage {
    /// No file is being drained.
    Idle,
    /// This one is being read; these of its events are not yet taken in.
    Reading(Draining, VecDeque<Spooled>),
    /// This one is read, and waits until all of it is kept.
    Keeping(Draining),
}

impl Drain {
    /// The drain of these settings' spool, if its events are for the broker here.
    pub fn of(settings: &Settings) -> Option<Self> {
        let here = settings.client.connect == settings.broker.bind.reached_locally();
        let options = SpoolOptions::of(&settings.client).filter(|_| here)?;
        Some(Self { options, watch: None, look_at: Some(clock::mono()), claim: None, stage: Stage::Idle, count: 0 })
    }

    /// The broker is ready: clients need spool no more.
    pub fn tell_clients(&self) {
        Circuit::new(self.options.clone()).close();
    }

    /// Becomes readable when something changes in the spool.
    pub fn source(&self) -> Source<'_> {
        self.watch.as_ref().map_or(Source::Never, Watch::source)
    }

    /// Takes in what was told of changes.
    fn hear(&mut self) {
        if let Some(watch) = &self.watch {
            if !watch.is_whole() {
                // The directory is gone: it is made anew with the next look.
                self.watch = None;
            }
            self.look_at = Some(clock::mono());
        }
    }

    /// Reads the next events, where those read before are taken in.
    fn read_on(&mut self, now: Mono) -> Result<(), SpoolError> {
        if matches!(self.stage, Stage::Idle) && self.look_at.is_some_and(|at| at <= now) {
            self.look_at = Some(now.plus(LOOK_AGAIN));
            self.look()?;
        }
        if let Stage::Reading(file, events) = &mut self.stage
            && events.is_empty()
        {
            events.extend(file.slice(SLICE)?);
        }
        Ok(())
    }

    /// The next event; none where there is none for now.
    fn next_event(&mut self) -> Option<Spooled> {
        let Stage::Reading(_, events) = &mut self.stage else { return None };
        let event = events.pop_front()?;
        self.count += 1;
        Some(event)
    }

    /// Looks for a file to drain.
    fn look(&mut self) -> Result<(), SpoolError> {
        if self.watch.is_none() {
            spool::prepare(&self.options)?;
            self.watch = Watch::new(&self.options.dir);
        }
        if events_wait(&self.options.dir)? == Wait::Nothing {
            self.rest();
            return Ok(());
        }
        if self.claim.is_none() {
            self.claim = Claim::take(&self.options)?;
        }
        // Where another process drains, there may be something left when it ends, and nothing tells of that.
        let Some(claim) = &mut self.claim else { return Ok(()) };
        match claim.next_file() {
            Ok(Some(file)) => self.stage = Stage::Reading(file, VecDeque::new()),
            Ok(None) => {
                let again = claim.has_passed_over().then(|| clock::mono().plus(PASSED_OVER));
                self.rest();
                self.look_at = self.look_at.or(again);
            }
            Err(SpoolError::Locked(_)) => self.look_at = Some(clock::mono().plus(SOON)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// There is nothing to drain.
    fn rest(&mut self) {
        self.claim = None;
        if self.watch.is_some() {
            self.look_at = None;
        }
    }

    /// Whether all of the file that is being drained is taken in. It waits to be kept from then on.
    fn is_taken_in(&mut self) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Reading(file, events) if file.is_read() && events.is_empty() => {
                self.stage = Stage::Keeping(file);
                true
            }
            other => {
                self.stage = other;
                false
            }
        }
    }

    /// The file that was waiting to be kept is kept.
    fn finish(&mut self) -> Result<Option<Unreadable>, SpoolError> {
        self.look_at = Some(clock::mono());
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Keeping(file) => file.finish(),
            other => {
                self.stage = other;
                Ok(None)
            }
        }
    }
}

impl Broker<'_> {
    /// Takes in the next slice of the spool, if there is one and there is room. `told`: something has changed there.
    pub(super) fn drain_spool(&mut self, told: bool) {
        let Some(drain) = &mut self.drain else { return };
        if told {
            drain.hear();
        }
        if self.queue.overload().is_some() {
            return;
        }
        let now = clock::now();
        if let Err(error) = drain.read_on(now.mono) {
            self.notices.spool(&error);
            // The file stays for the next time.
            drain.stage = Stage::Idle;
            drain.look_at = Some(now.mono.plus(LOOK_AGAIN));
            return;
        }
        while self.queue.overload().is_none()
            && let Some(Spooled { session, number, spooled_at, record }) = drain.next_event()
        {
            self.queue.handle_spooled(Origin { session, number }, record, Wall(spooled_at), now, &mut self.effects);
        }
        if drain.is_taken_in() {
            self.effects.after_sync.push(Reply::Drained);
        }
    }

    /// All of the file that was drained is kept.
    pub(super) fn drained(&mut self) {
        let Some(drain) = &mut self.drain else { return };
        match drain.finish() {
            Ok(unreadable) => unreadable.iter().for_each(|unreadable| self.notices.unreadable(unreadable)),
            Err(error) => {
                self.notices.spool(&error);
                drain.look_at = Some(clock::mono().plus(LOOK_AGAIN));
            }
        }
        self.notices.drained(std::mem::take(&mut drain.count));
    }

    /// Microseconds until there is something to drain, or to look for.
    pub(super) fn drain_check(&self, now: Mono) -> Option<u64> {
        let drain = self.drain.as_ref()?;
        let next = match drain.stage {
            Stage::Reading(..) => Some(0),
            Stage::Keeping(_) => None,
            Stage::Idle => drain.look_at.map(|at| at.since(now)),
        };
        if self.queue.overload().is_some() { next.map(|next| next.max(OVERLOADED)) } else { next }
    }
}

#[cfg(target_os = "linux")]
mod watch {
    //! Provides what tells of changes in the spool.

    use crate::transport::Source;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use std::os::fd::AsFd as _;
    use std::path::Path;

    /// Tells of changes in a directory.
    pub(super) struct Watch(Inotify);

    impl Watch {
        /// None where the system has no more of them: then the directory is looked at now and then.
        pub fn new(dir: &Path) -> Option<Self> {
            let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
            let changes =
                AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
            inotify.add_watch(dir, changes).ok()?;
            Some(Self(inotify))
        }

        pub fn source(&self) -> Source<'_> {
            Source::Descriptor(self.0.as_fd())
        }

        /// Takes in what has changed; false where there will be no more, as the directory is gone.
        pub fn is_whole(&self) -> bool {
            let mut whole = true;
            while let Ok(events) = self.0.read_events() {
                whole &= !events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_IGNORED));
            }
            whole
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod watch {
    //! Nothing tells of changes here: the directory is looked at now and then.

    use crate::transport::Source;
    use std::path::Path;

    pub(super) enum Watch {}

    impl Watch {
        pub fn new(_: &Path) -> Option<Self> {
            None
        }

        pub fn source(&self) -> Source<'_> {
            match *self {}
        }

        pub fn is_whole(&self) -> bool {
            match *self {}
        }
    }
}
