//! Boots a worker: the application attaches its listeners, and what identifies them is made into a table.

use super::Post;
use crate::application::{Application, WorkerInfo};
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::listener::ListenerTable;

pub(super) fn launch(post: &Post<'_>, application: &mut dyn Application) -> Result<ListenerTable, Failure> {
    let listeners = application.launch(WorkerInfo { slot: post.slot, generation: post.generation })?;
    ListenerTable::new(listeners).map_err(|error| Failure::new(FailureKind::Unrecoverable, "Configuration", error.to_string()))
}
