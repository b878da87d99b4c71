//! Follows single events to their end, for who waits for one.

use super::request::Of;
use super::{Answer, Broker};
use crate::clock;
use proletarier_core::queue::Fate;
use proletarier_core::record::is_valid_id;
use serde_json::json;

impl Broker<'_> {
    pub(super) fn watch(&mut self, of: &Of) -> Result<Answer, String> {
        if !is_valid_id(of.id.as_bytes()) {
            return Err(format!("\"{}\" is no event's id", of.id));
        }
        self.queue.watch(&of.id, clock::now());
        Ok(Answer::Now(json!({ "state": "waiting" })))
    }

    pub(super) fn outcome(&self, of: &Of) -> Answer {
        Answer::Now(match self.queue.fate(&of.id) {
            Fate::Unknown => json!({ "state": "unknown" }),
            Fate::Waiting => json!({ "state": "waiting" }),
            Fate::Handled => json!({ "state": "handled" }),
            Fate::Failed(error) => json!({ "state": "failed", "error": error }),
            Fate::Cancelled(error) => json!({ "state": "cancelled", "error": error }),
        })
    }
}
