//! Notices peers that come to the clients' socket and never get in: sockets of another kind, above all the original's PUSH clients. ZeroMQ refuses
//! these in silence, and they would wait for ever in silence.

use super::Broker;
use crate::transport::Arrival;
use std::collections::VecDeque;

/// Who stands at the door: connections that have not shaken hands, the oldest first.
#[derive(Default)]
pub(super) struct Door {
    waiting: VecDeque<u32>,
}

impl Door {
    /// Takes in what happened; whether somebody left without having got in.
    ///
    /// Handshakes are taken to end in the order in which they began. Where they don't, one of the two is told of in the other's place.
    fn sees(&mut self, arrival: Arrival) -> bool {
        match arrival {
            Arrival::Came(connection) => self.waiting.push_back(connection),
            Arrival::ShookHands => drop(self.waiting.pop_front()),
            Arrival::Left(connection) => {
                let before = self.waiting.len();
                self.waiting.retain(|waiting| *waiting != connection);
                return self.waiting.len() < before;
            }
        }
        false
    }
}

impl Broker<'_> {
    /// What it may be that can't get in.
    const fn hint(&self) -> &'static str {
        if self.post.settings.broker.curve.is_some() {
            "a peer could not shake hands: it has another CURVE key than broker.curve.public, or it is the original's client, or another PUSH socket: \
             set broker.pull to an endpoint for these"
        } else {
            "a peer could not shake hands: if it is the original's client, or another PUSH socket, set broker.pull to an endpoint for these"
        }
    }

    /// Takes in who came to the clients' socket, and who left it.
    pub(super) fn watch_the_door(&mut self) {
        while let Some(arrival) = self.sockets.arrivals.arrival() {
            if self.door.sees(arrival) {
                self.malformed += 1;
                let hint = self.hint();
                self.notices.malformed("the door of the clients' socket (broker.bind)", &hint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_without_a_handshake_is_told_of() {
        let mut door = Door::default();
        let honest =
            [Arrival::Came(7), Arrival::Came(8), Arrival::ShookHands, Arrival::ShookHands, Arrival::Left(7), Arrival::Left(8)];
        assert!(honest.into_iter().all(|arrival| !door.sees(arrival)));
        assert!(!door.sees(Arrival::Came(7)));
        assert!(door.sees(Arrival::Left(7)));
    }
}
