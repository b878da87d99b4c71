//! Provides the shell around the queue: what the engine's broker does, one small step at a time, so that it may die after each.

use crate::scoreboard::State;
use crate::world::World;
use bytes::Bytes;
use proletarier_core::backlog::{Append, Backlog, Completion, Memory, Reserved, Settlement, Token};
use proletarier_core::delivery::{Delivery, Due};
use proletarier_core::frame::{BrokerFrame, Chunk, ChunkDelivery, ClientFrame, Hello, Ready, ToClient, WorkerFrame};
use proletarier_core::queue::{Effects, HandOut, KeyHolder, Queue, Reply, WorkerId};
use proletarier_core::record::Record;
use proletarier_core::session::Sessions;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub struct Broker {
    pub queue: Queue,
    pub effects: Effects,
    /// What the effects that were taken up ask for, and is not done yet.
    pub due: VecDeque<Do>,
    /// Workers that introduced themselves, with the chunk through which all is settled.
    peers: BTreeMap<WorkerId, u32>,
    burying: BTreeSet<WorkerId>,
    /// Workers of the broker before that have not introduced themselves.
    pub awaited: BTreeSet<WorkerId>,
    pub recovered: bool,
}

/// One step that a broker's death can fall before or after.
#[derive(Debug)]
pub enum Do {
    Append(Vec<Append>, Box<Sessions>),
    Settle(Token, Settlement),
    Say(Reply),
}

const fn id(slot: usize, incarnation: u32) -> WorkerId {
    (slot as u64) << 32 | incarnation as u64
}

const fn slot(id: WorkerId) -> usize {
    (id >> 32) as usize
}

impl World {
    /// A broker begins, with what the one before left.
    pub fn start_broker(&mut self) {
        self.board.epoch += 1;
        let mut queue = Queue::new(crate::plan::Plan::rules()).with_lanes(self.plan.lanes());
        let mut awaited = BTreeSet::new();
        if self.plan.durable {
            self.backlog.reopen();
            let kept = self.backlog.waiting(0, usize::MAX).items;
            let holders: Vec<_> = kept.iter().filter_map(|waiting| KeyHolder::of(&waiting.delivery)).collect();
            queue = queue.with_sessions(self.sessions.clone()).with_keys(&self.plan.lanes(), holders);
            for slot in &mut self.board.slots {
                for place in &mut slot.places {
                    // Unless it is done here, the worker does it when it meets this broker.
                    if self.dice.chance(500) || slot.state == State::Dead {
                        place.limit = place.claimed;
                    }
                    for token in &place.tokens[..usize::from(place.claimed)] {
                        let claimed = Reserved { token: *token, delivery: Delivery::first(Bytes::new()) };
                        if let Some(delivery) = self.backlog.adopt(&claimed) {
                            queue.hold(Reserved { delivery, ..claimed });
                        }
                    }
                }
            }
        } else {
            self.backlog = Memory::new(self.board.epoch);
            let alive = || self.board.slots.iter().enumerate().filter(|(_, slot)| slot.state == State::Working);
            if self.board.epoch > 1 {
                queue = queue.recovering(alive().filter_map(|(_, slot)| slot.running_event()));
            }
            awaited = alive().map(|(number, slot)| id(number, slot.incarnation)).collect();
        }
        self.backlog.sort(self.plan.lanes());
        self.broker = Some(Broker {
            queue,
            effects: Effects::default(),
            due: VecDeque::new(),
            peers: BTreeMap::new(),
            burying: BTreeSet::new(),
            awaited,
            recovered: false,
        });
        for worker in self.workers.iter_mut().flatten() {
            // An introduction to the broker before must not pass for one to this: chunks would be numbered on from too low a number, and
            // a worker could have two of one number in hand. The shell has to see to that.
            worker.to_broker.clear();
            worker.inbox.push_back(enquiry(self.board.epoch));
        }
        for client in &mut self.clients {
            client.meets = true;
        }
    }

    /// The broker dies where it stands.
    pub fn kill_broker(&mut self) {
        if self.broker.take().is_none() {
            return;
        }
        if !self.plan.durable {
            self.ledger.backlog_lost();
        }
        // What is on its way to it is lost; of what it said, only the first part arrives.
        for client in &mut self.clients {
            client.to_broker.clear();
            client.inbox.truncate(self.dice.below(client.inbox.len() + 1));
        }
        for worker in self.workers.iter_mut().flatten() {
            worker.to_broker.clear();
            // A failure whose settlement is told later than its retry is handed out could come to a volatile broker from two workers. The
            // engine tells it first, at once, and what a worker's socket has taken in outlives the broker.
            let told = worker.inbox.iter().rposition(|frame| matches!(BrokerFrame::decode(frame), Ok(BrokerFrame::Settled(_))));
            let least = told.map_or(0, |last| last + 1);
            worker.inbox.truncate(least + self.dice.below(worker.inbox.len() - least + 1));
        }
        self.last_reports.iter_mut().for_each(VecDeque::clear);
    }

    pub fn hear_client(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let (Some(broker), Some(frame)) = (&mut self.broker, client.to_broker.pop_front()) else { return };
        let ClientFrame::Publish(batch) = ClientFrame::decode(&frame).unwrap();
        broker.queue.handle_publish(&client.name.clone().into(), batch, self.now, &mut broker.effects);
    }

    pub fn hear_worker(&mut self, number: usize) {
        let link = self.workers[number].as_mut().map_or(&mut self.last_reports[number], |worker| &mut worker.to_broker);
        let (Some(broker), Some(frame)) = (&mut self.broker, link.pop_front()) else { return };
        let id = id(number, self.board.slots[number].incarnation);
        let known = broker.peers.contains_key(&id);
        match WorkerFrame::decode(&frame).unwrap() {
            // A dead worker's introduction is not heard: its slot says more.
            WorkerFrame::Ready(ready) if !known && self.board.slots[number].state == State::Working => {
                broker.peers.insert(id, 0);
                broker.awaited.remove(&id);
                let (backlog, ledger, epoch, durable) =
                    (&mut self.backlog, &mut self.ledger, self.board.epoch, self.plan.durable);
                let mut adopt = |held: &Reserved| {
                    if !durable {
                        let id = Record::decode(&held.delivery.record).unwrap().id;
                        ledger.adopted(id, held.delivery.only().is_none(), epoch);
                    }
                    backlog.adopt(held)
                };
                broker.queue.handle_ready(id, ready, &mut adopt, self.now, &mut broker.effects).unwrap();
            }
            WorkerFrame::Report(report) if known => broker.queue.handle_report(id, &report, self.now, &mut broker.effects),
            WorkerFrame::Leaving if known => broker.queue.handle_leaving(id, &mut broker.effects),
            _ => {}
        }
    }

    /// The broker notices that a worker is dead.
    pub fn settle_grave(&mut self, number: usize) {
        let lost = self.plan.lost_slots > 0 && self.dice.chance(self.plan.lost_slots);
        let (Some(broker), grave) = (&mut self.broker, &self.board.slots[number]) else { return };
        let id = id(number, grave.incarnation);
        broker.burying.insert(id);
        broker.awaited.remove(&id);
        let mut known = broker.peers.remove(&id).is_some();
        if !known && self.plan.durable {
            // It never met this broker: slot and store say what it had.
            let last_chunk = grave.places.iter().map(|place| place.number).max().unwrap_or(0);
            let hello = Hello { last_chunk, listeners: self.plan.listeners(), ..Hello::default() };
            let ready = Ready { hello, held: grave.held() };
            let backlog = &mut self.backlog;
            broker.queue.handle_ready(id, ready, &mut |held| backlog.adopt(held), self.now, &mut broker.effects).unwrap();
            known = true;
        }
        let remains = grave.remains();
        if lost && known {
            for delivery in grave.places.iter().filter_map(|place| deliveries(&place.frame)).flatten() {
                self.ledger.slot_lost(Record::decode(&delivery.record).unwrap().id);
            }
        }
        broker.queue.handle_death(id, (!lost).then_some(&remains), self.now, &mut broker.effects);
    }

    pub fn is_buried(&self, number: usize) -> bool {
        let id = id(number, self.board.slots[number].incarnation);
        self.broker.as_ref().is_some_and(|broker| broker.burying.contains(&id))
    }

    pub fn fetch(&mut self) {
        let Some(broker) = &mut self.broker else { return };
        let mut wants = broker.queue.wants();
        wants.retain(|(lane, _)| self.backlog.may_have(*lane));
        for (lane, count) in wants {
            self.backlog.fetch_from(lane, 1 + self.dice.below(count));
        }
        let mut all = Vec::new();
        while let Some(completion) = self.backlog.poll() {
            if let Completion::Fetched(fetched) = completion {
                all.extend(fetched);
            }
        }
        broker.queue.handle_fetched(all, self.now, &mut broker.effects);
    }

    /// Takes up what the queue asked for.
    pub fn keep(&mut self) {
        let Some(broker) = &mut self.broker else { return };
        let effects = std::mem::take(&mut broker.effects);
        let (chunks, others): (Vec<_>, Vec<_>) = effects.at_once.into_iter().partition(|reply| matches!(reply, Reply::Chunk(..)));
        let due = &mut broker.due;
        let mut chunks: VecDeque<_> = chunks.into_iter().map(Do::Say).collect();
        due.extend(others.into_iter().map(Do::Say));
        if !self.plan.durable {
            due.append(&mut chunks);
        }
        if !effects.append.is_empty() {
            due.push_back(Do::Append(effects.append, Box::new(broker.queue.sessions().clone())));
        }
        due.extend(effects.settle.into_iter().map(|(token, settlement)| Do::Settle(token, settlement)));
        due.append(&mut chunks);
        due.extend(effects.after.into_iter().map(Do::Say));
    }

    /// Does the next thing that is due.
    pub fn do_next(&mut self) {
        let Some(broker) = &mut self.broker else { return };
        let Some(next) = broker.due.pop_front() else { return };
        if self.traced {
            eprintln!("    {next:?}");
        }
        match next {
            Do::Append(mut batch, sessions) => {
                for Append { delivery, .. } in &batch {
                    let record = Record::decode(&delivery.record).unwrap();
                    let due = delivery.due.map(|due| match due {
                        Due::After(at) => at.0,
                        Due::At(_) => panic!("nobody asked for a wall time"),
                    });
                    self.ledger.appended(record.id, due, self.board.epoch);
                }
                self.backlog.append(&mut batch, self.now);
                self.sessions = *sessions;
            }
            Do::Settle(token, settlement) => {
                self.backlog.settle(&mut vec![(token, settlement)], self.now);
            }
            Do::Say(reply) => self.say(reply),
        }
    }

    fn say(&mut self, reply: Reply) {
        let Some(broker) = &mut self.broker else { return };
        match reply {
            Reply::Confirm(client, confirmation) => {
                let client = self.clients.iter_mut().find(|known| known.name.as_bytes() == client).unwrap();
                let numbers = confirmation.first..confirmation.first + u64::from(confirmation.count);
                for number in numbers {
                    self.ledger.accepted(&client.id(number), self.board.epoch);
                }
                client.inbox.push_back(encoded(|out| ToClient::Confirm(confirmation).encode(out)));
            }
            Reply::Chunk(worker, hand_out) => {
                let Some(settled) = broker.peers.get(&worker).copied() else { return };
                self.offer(worker, hand_out, settled);
            }
            Reply::Settled { worker, through, at_once } => {
                let Some(settled) = broker.peers.get_mut(&worker) else { return };
                *settled = through;
                if at_once && let Some(worker) = &mut self.workers[slot(worker)] {
                    worker.inbox.push_back(encoded(|out| BrokerFrame::Settled(through).encode(out)));
                }
            }
            Reply::Buried(worker) => {
                assert!(broker.burying.remove(&worker));
                self.board.slots[slot(worker)].state = State::Free;
            }
            Reply::TakeBack(worker, chunk) => {
                if broker.peers.contains_key(&worker)
                    && let Some(limit) = self.board.slots[slot(worker)].give_back(chunk)
                {
                    broker.queue.handle_taken_back(worker, chunk, limit, self.now, &mut broker.effects);
                }
            }
            Reply::Dead(_) | Reply::Expired(_) | Reply::UnknownQueue(_) | Reply::Drained | Reply::Answer(..) => {}
        }
    }

    fn offer(&mut self, worker: WorkerId, hand_out: HandOut, settled: u32) {
        let tokens: Vec<_> = hand_out.deliveries.iter().map(|reserved| reserved.token).collect();
        let deliveries = hand_out.deliveries.into_iter().map(|Reserved { token, delivery }| ChunkDelivery {
            token,
            attempt: delivery.attempt,
            only: delivery.only().map(<[_]>::to_vec),
            record: delivery.record,
        });
        let deliveries = deliveries.collect();
        let chunk = Chunk { epoch: self.board.epoch, number: hand_out.number, settled, deliveries };
        let frame = encoded(|out| BrokerFrame::Chunk(chunk).encode(out));
        self.board.slots[slot(worker)].offer(hand_out.number, tokens, frame.clone());
        if let Some(worker) = &mut self.workers[slot(worker)] {
            worker.inbox.push_back(frame);
        }
    }
}

pub fn enquiry(epoch: u64) -> Bytes {
    encoded(|out| BrokerFrame::Enquire(epoch).encode(out))
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = Vec::new();
    encode(&mut out);
    out.into()
}

fn deliveries(frame: &Bytes) -> Option<Vec<ChunkDelivery>> {
    match BrokerFrame::decode(frame) {
        Ok(BrokerFrame::Chunk(chunk)) => Some(chunk.deliveries),
        _ => None,
    }
}
