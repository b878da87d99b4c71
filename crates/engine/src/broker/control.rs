//! Answers control requests: one JSON object each, `{"command": ...}`, on a socket of their own.

use super::{Broker, GROUP};
use proletarier_core::record::Record;
use serde::Deserialize;
use serde_json::{Value, json};

/// Dead letters in one answer.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// What there is and what has happened.
    Status,
    /// Dead letters after a cursor.
    Dead {
        #[serde(default)]
        after: u64,
    },
}

impl Broker<'_> {
    /// Answers a group of control requests.
    pub(super) fn hear_control(&mut self) {
        for _ in 0..GROUP {
            let Some(parts) = self.sockets.control.receive() else { return };
            // A REQ socket has an empty part between address and request; a DEALER greets with an empty frame.
            let (address, request, plain) = match &parts[..] {
                [_, request] if request.is_empty() => continue,
                [address, request] => (address, request, true),
                [address, empty, request] if empty.is_empty() => (address, request, false),
                _ => {
                    self.malformed += 1;
                    continue;
                }
            };
            let answer = match serde_json::from_slice::<Request>(request) {
                Ok(request) => self.answer(&request),
                Err(error) => {
                    self.malformed += 1;
                    json!({ "error": error.to_string() })
                }
            };
            let answer = answer.to_string();
            if plain {
                self.sockets.control.send_to(address, answer.as_bytes());
            } else {
                self.sockets.control.answer_to(address, answer.as_bytes());
            }
        }
    }

    fn answer(&mut self, request: &Request) -> Value {
        match request {
            Request::Status => json!({
                "pid": std::process::id(),
                "epoch": self.post.epoch,
                "workers": self.queue.workers(),
                "malformed": self.malformed,
                "backlog": self.backlog.counts(),
                "counters": self.queue.counters(),
            }),
            Request::Dead { after } => {
                let page = self.backlog.dead(*after, PAGE);
                let letters: Vec<Value> = page
                    .items
                    .iter()
                    .map(|(cursor, letter)| {
                        let record = Record::decode(&letter.delivery.record).unwrap_or_default();
                        json!({
                            "cursor": cursor,
                            "id": record.id,
                            "name": record.name,
                            "listeners": letter.delivery.only(),
                            "attempts": letter.delivery.history(),
                            "at": letter.at,
                        })
                    })
                    .collect();
                json!({ "dead": letters })
            }
        }
    }
}
