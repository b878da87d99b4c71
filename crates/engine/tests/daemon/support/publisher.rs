//! Provides a client that sends whole records and tells what the broker says of each.

use super::{LONG, Lab};
use proletarier_core::frame::{Confirmation, Publish, RejectCode, Session, ToClient};
use proletarier_core::record::Record;
use std::sync::atomic::{AtomicU8, Ordering};

/// Sessions of this process's, the first byte of each.
static SESSIONS: AtomicU8 = AtomicU8::new(1);

pub struct Publisher {
    session: Session,
    socket: zmq::Socket,
    _context: zmq::Context,
    next: u64,
}

impl Publisher {
    pub fn new(lab: &Lab) -> Self {
        let context = zmq::Context::new();
        let socket = context.socket(zmq::DEALER).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(LONG.as_millis() as i32).unwrap();
        socket.connect(&lab.endpoint("events.sock")).unwrap();
        Self { session: [SESSIONS.fetch_add(1, Ordering::Relaxed); 16], socket, _context: context, next: 1 }
    }

    /// Sends these as one batch, and waits until it is confirmed.
    pub fn publish(&mut self, records: &[Record<'_>]) -> Confirmation {
        let mut frame = Vec::new();
        Publish::begin(&mut frame);
        for record in records {
            Publish::push(&mut frame, |out| record.encode(out));
        }
        let count = records.len() as u32;
        Publish::seal(&mut frame, &self.session, self.next, count, true, false);
        self.next += u64::from(count);
        self.socket.send(frame, 0).unwrap();
        match ToClient::decode(&self.socket.recv_bytes(0).unwrap()) {
            Ok(ToClient::Confirm(confirmation)) => confirmation,
            other => panic!("waited for a confirmation, got {other:?}"),
        }
    }

    /// Sends one event; why it was not taken.
    pub fn refused(&mut self, record: &Record<'_>) -> Option<(RejectCode, String)> {
        let confirmation = self.publish(std::slice::from_ref(record));
        confirmation.exceptions.into_iter().next().map(|exception| (exception.code, exception.reason))
    }
}

/// An event.
pub fn event<'a>(id: &'a str, name: &'a str) -> Record<'a> {
    Record { id, name, triggered_at: proletarier_engine::wall().0, params: b"{}", ..Record::default() }
}
