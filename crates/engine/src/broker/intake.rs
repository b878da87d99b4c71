//! Takes events in from clients.

use super::{Broker, GROUP};
use crate::clock;
use bytes::Bytes;
use proletarier_core::frame::{ClientFrame, ToClient, Welcome};

/// Why `synced` is refused.
const NOT_SYNCED: &str =
    "the store is in memory, which nothing keeps when power is lost: confirm 'accepted' at most, or set store to a directory";

impl Broker<'_> {
    /// Takes in a group of what clients sent.
    pub(super) fn hear_clients(&mut self) {
        let now = clock::now();
        for _ in 0..GROUP {
            let Some(parts) = self.sockets.clients.receive() else { return };
            let [address, frame] = &parts[..] else {
                self.malformed += 1;
                continue;
            };
            if frame.is_empty() {
                let max_message = u32::try_from(self.post.settings.broker.max_message_size).unwrap_or(u32::MAX);
                self.tell_client(address, &ToClient::Welcome(Welcome { epoch: self.post.epoch, max_message }));
                continue;
            }
            match ClientFrame::decode(frame) {
                Ok(ClientFrame::Publish(batch)) if batch.synced && !self.backlog.capabilities().survives_power => {
                    self.queue.refuse_publish(address, &batch, NOT_SYNCED, &mut self.effects);
                }
                Ok(ClientFrame::Publish(mut batch)) => {
                    batch.synced |= self.post.settings.broker.synced;
                    self.queue.handle_publish(address, batch, now, &mut self.effects);
                }
                Err(error) => {
                    self.malformed += 1;
                    self.notices.malformed("a client", &error);
                    self.tell_client(address, &ToClient::Refused(error.to_string()));
                }
            }
        }
    }

    fn tell_client(&mut self, address: &Bytes, frame: &ToClient) {
        self.frame.clear();
        frame.encode(&mut self.frame);
        self.sockets.clients.send_to(address, &self.frame);
    }
}
