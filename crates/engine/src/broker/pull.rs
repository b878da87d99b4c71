//! Takes events in on the original's wire: one frame of JSON, `{"name": ..., "params": ...}`, from any PUSH socket. Nobody is answered.

use super::{Broker, GROUP};
use crate::id::new_id;
use crate::transport::{Socket, Transport};
use crate::{RunError, clock, runtime_dir};
use proletarier_core::record::Record;
use proletarier_core::settings::{Endpoint, Settings};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Original<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

pub(super) fn bind(transport: &Transport, endpoint: &Endpoint, settings: &Settings) -> Result<Socket, RunError> {
    runtime_dir::make_way(endpoint, settings)?;
    let socket = transport
        .bind_pull(endpoint, settings.broker.max_message_size, settings.broker.curve.as_ref())
        .map_err(|error| RunError::Setup(format!("broker.pull: {error}")))?;
    runtime_dir::hand_over(endpoint, settings)?;
    Ok(socket)
}

impl Broker<'_> {
    /// Takes in a group of what the original's clients sent.
    pub(super) fn hear_originals(&mut self) {
        let now = clock::now();
        for _ in 0..GROUP {
            if self.queue.overload().is_some() {
                return;
            }
            let Some(frame) = self.sockets.pull.as_ref().and_then(Socket::receive_one) else { return };
            let record = read(&frame, now.wall.0);
            let taken = record.and_then(|record| self.queue.handle_unconfirmed(record.into(), now, &mut self.effects));
            if let Err(reason) = taken {
                self.malformed += 1;
                self.notices.malformed("the original's socket (broker.pull)", &reason);
            }
        }
    }
}

fn read(frame: &[u8], wall: u64) -> Result<Vec<u8>, String> {
    let original: Original<'_> = serde_json::from_slice(frame).map_err(|error| error.to_string())?;
    let name = proletarier_core::name::check_name(original.name.as_bytes()).map_err(|error| error.to_string())?;
    // The original sent no params as null.
    let params = original.params.map(|params| params.get().trim()).filter(|params| *params != "null").unwrap_or("[]");
    let mut id = [0; 36];
    let record = Record { id: new_id(wall, &mut id), name, triggered_at: wall, params: params.as_bytes(), ..Record::default() };
    let mut out = Vec::new();
    record.encode(&mut out);
    Ok(out)
}
