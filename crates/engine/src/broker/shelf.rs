//! Opens the backlog that the settings name.

use crate::application::Level;
use crate::store::{self, Directory};
use crate::{RunError, clock, log};
use proletarier_core::backlog::{Backlog, Memory};
use proletarier_core::delivery::Unique;
use proletarier_core::queue::KeyHolder;
use proletarier_core::session::Sessions;
use proletarier_core::settings::{Settings, Store};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The backlog, and what it has kept for the queue.
pub(super) struct Shelf {
    pub backlog: Box<dyn Backlog>,
    /// Becomes readable when it may have something to tell.
    pub bell: Option<OwnedFd>,
    pub sessions: Sessions,
    /// The unique keys that are held, and by which event.
    pub uniques: Vec<(Unique, String)>,
    /// The events that others of their keys wait for.
    pub keys: Vec<KeyHolder>,
}

/// Said of damage that turned up later.
pub(super) const DAMAGE_MET: &str = "the store is damaged: what is lost is set aside, and the rest goes on";

/// Opens it; tells what is not whole.
pub(super) fn open(settings: &Settings, epoch: u64) -> Result<Shelf, RunError> {
    let Store::Directory(directory) = &settings.store else {
        let backlog = Box::new(Memory::new(epoch));
        return Ok(Shelf { backlog, bell: None, sessions: Sessions::default(), uniques: Vec::new(), keys: Vec::new() });
    };
    let setup = |error: &dyn std::fmt::Display| RunError::Setup(error.to_string());
    let disk = Arc::new(Directory::new(directory.clone(), 0o600));
    let (store, found) = store::open(disk, clock::random(), clock::now(), true).map_err(|error| setup(&error))?;
    if !found.losses.is_none() {
        let (level, words) = if found.losses.entries == 0 && found.losses.missing.is_empty() {
            let words = "a piece of the store is no entry, as of a write that was cut short: it is set aside, and no event is known to be missing";
            (Level::Warning, words)
        } else {
            (Level::Error, "the store was not whole: what is damaged is set aside, and the rest goes on")
        };
        log::line(level, words, &[("store", &directory.display()), ("found", &found.losses)]);
    }
    let bell = store.bell().try_clone_to_owned().map_err(|error| setup(&error))?;
    Ok(Shelf { backlog: Box::new(store), bell: Some(bell), sessions: found.sessions, uniques: found.uniques, keys: found.keys })
}
