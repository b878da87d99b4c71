//! Answers control requests: one JSON object each, `{"command": ...}`, on a socket of their own. docs/protocol.md has them all.

mod failed;
mod outcome;
mod queues;
mod request;
mod status;
mod transfer;
mod waiting;
mod walk;

use super::Broker;
use bytes::Bytes;
use proletarier_core::nearest::nearest;
use proletarier_core::queue::{OperatorId, Reply};
use request::{Command, Import, List, Of, OfQueue, Plain, Which, read};
use serde_json::{Value, json};

/// Requests answered before the broker looks after everything else again: each may look at a thousand entries.
const REQUESTS: usize = 4;

/// All that can be asked.
const COMMANDS: [&str; 14] = [
    "status",
    "failed",
    "failed_replay",
    "failed_discard",
    "failed_export",
    "failed_import",
    "waiting",
    "waiting_cancel",
    "watch",
    "outcome",
    "queue_pause",
    "queue_resume",
    "reload",
    "stop",
];

/// An answer.
enum Answer {
    /// To give at once.
    Now(Value),
    /// The same, written already.
    Page(String),
    /// To give when what it tells of is kept.
    Kept(Value),
}

impl Broker<'_> {
    /// Answers a group of control requests.
    pub(super) fn hear_control(&mut self) {
        for _ in 0..REQUESTS {
            let Some(parts) = self.sockets.control.receive() else { return };
            // A REQ socket has an empty part between address and request; a DEALER greets with an empty frame.
            let (operator, request) = match &parts[..] {
                [_, request] if request.is_empty() => continue,
                [operator @ .., request] if matches!(operator, [_]) || matches!(operator, [_, empty] if empty.is_empty()) => {
                    (operator.to_vec(), request)
                }
                _ => {
                    self.malformed += 1;
                    continue;
                }
            };
            // What the request before asked for is done: this one sees it so.
            self.keep_and_say();
            let answer = self.answer(request).unwrap_or_else(|error| {
                self.malformed += 1;
                Answer::Now(json!({ "error": error }))
            });
            match answer {
                Answer::Now(answer) => self.tell_operator(&operator, answer.to_string().as_bytes()),
                Answer::Page(answer) => self.tell_operator(&operator, answer.as_bytes()),
                Answer::Kept(answer) => self.effects.after.push(Reply::Answer(operator, answer.to_string().into())),
            }
        }
    }

    fn answer(&mut self, request: &Bytes) -> Result<Answer, String> {
        let Command { command } = read(request)?;
        match command.as_str() {
            "status" => read(request).map(|Plain { .. }| self.status()),
            "reload" => read(request).map(|Plain { .. }| self.reload()),
            "stop" => read(request).map(|Plain { .. }| self.stop()),
            "failed" => read(request).map(|list: List| self.failed(&list)),
            "failed_replay" => read(request).and_then(|which: Which| self.failed_replay(which)),
            "failed_discard" => read(request).and_then(|which: Which| self.failed_discard(which)),
            "failed_export" => read(request).map(|list: List| self.failed_export(&list)),
            "failed_import" => read(request).and_then(|import: Import| self.failed_import(import)),
            "waiting" => read(request).map(|list: List| self.waiting(&list)),
            "waiting_cancel" => read(request).and_then(|which: Which| self.waiting_cancel(which)),
            "watch" => read(request).and_then(|of: Of| self.watch(&of)),
            "outcome" => read(request).map(|of: Of| self.outcome(&of)),
            "queue_pause" => read(request).and_then(|of: OfQueue| self.queue_pause(&of)),
            "queue_resume" => read(request).and_then(|of: OfQueue| self.queue_resume(&of)),
            other => {
                let hint = nearest(other, COMMANDS).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                Err(format!("command \"{other}\" is unknown{hint} There are: {}", COMMANDS.join(", ")))
            }
        }
    }

    /// The daemon is to boot its code anew.
    fn reload(&self) -> Answer {
        let asked = self.post.scoreboard.ask_for_reload();
        self.post.ties.supervisor.ring();
        Answer::Now(json!({ "reload": asked }))
    }

    /// The daemon is to stop.
    fn stop(&self) -> Answer {
        self.post.scoreboard.ask_to_stop();
        self.post.ties.supervisor.ring();
        Answer::Now(json!({ "stopping": true }))
    }

    /// Answers an operator, in the form of its request.
    pub(super) fn tell_operator(&self, operator: &OperatorId, answer: &[u8]) {
        match &operator[..] {
            [address] => drop(self.sockets.control.send_to(address, answer)),
            [address, ..] => drop(self.sockets.control.answer_to(address, answer)),
            [] => {}
        }
    }
}
