//! Provides the world of a history: it owns time, and lets one of those who can act do one step, by chance.

use crate::broker::{Broker, enquiry};
use crate::client::Client;
use crate::dice::{Dice, hash};
use crate::ledger::Ledger;
use crate::plan::{Kill, Plan};
use crate::scoreboard::{Slot, State};
use crate::worker::Worker;
use bytes::Bytes;
use proletarier_core::backlog::{Backlog, Counts, Memory};
use proletarier_core::lanes::Lanes;
use proletarier_core::listener::{ListenerIndex, ListenerTable};
use proletarier_core::record::Record;
use proletarier_core::session::Sessions;
use proletarier_core::time::{Mono, Now, Wall};
use std::collections::{BTreeMap, VecDeque};

pub struct Board {
    pub slots: Vec<Slot>,
    pub epoch: u64,
}

pub struct World {
    pub plan: Plan,
    pub dice: Dice,
    pub now: Now,
    pub table: ListenerTable,
    pub board: Board,
    pub workers: Vec<Option<Worker>>,
    /// What dead workers had sent.
    pub last_reports: Vec<VecDeque<Bytes>>,
    pub broker: Option<Broker>,
    pub backlog: Memory,
    /// What a durable backlog keeps of the sessions.
    pub sessions: Sessions,
    pub clients: Vec<Client>,
    pub ledger: Ledger,
    pub runs: BTreeMap<(String, ListenerIndex), u32>,
    pub steps: usize,
    actions: Vec<Action>,
    pub traced: bool,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Publish(usize),
    SendAgain(usize),
    SendCopy(usize),
    ClientHears(usize),
    Fork(usize),
    Worker(usize),
    StartBroker,
    HearClient(usize),
    HearWorker(usize),
    SettleGrave(usize),
    Fetch,
    Tick,
    Keep,
    DoNext,
    Recovered,
}

/// What a history came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub steps: usize,
    pub runs: u32,
    pub reruns: u32,
    pub worker_kills: u32,
    pub brokers: u64,
    pub dead: u64,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("step {}, {:?}\nrun it alone with PROLETARIER_SEED={}", self.steps, self.plan, self.plan.seed);
        }
    }
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let table = plan.table();
        Self {
            dice: Dice::new(hash("world", &[plan.seed])),
            now: Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000), dice: 0 },
            ledger: Ledger::new(table.clone()),
            table,
            board: Board { slots: vec![Slot::default(); plan.workers], epoch: 0 },
            workers: (0..plan.workers).map(|_| None).collect(),
            last_reports: vec![VecDeque::new(); plan.workers],
            broker: None,
            backlog: Memory::new(1),
            sessions: Sessions::default(),
            clients: (0..plan.clients).map(|number| Client::new(number, plan.events)).collect(),
            runs: BTreeMap::new(),
            steps: 0,
            actions: Vec::new(),
            traced: std::env::var_os("PROLETARIER_TRACE").is_some(),
            plan,
        }
    }

    /// Lives through the whole history, and checks what became of everything.
    pub fn run(mut self) -> Summary {
        while self.step() {
            assert!(self.steps < 100_000, "it never comes to rest");
        }
        let broker = self.broker.as_ref().unwrap();
        assert!(broker.queue.is_idle() && broker.queue.ready() == 0, "the queue holds something: {:?}", broker.queue.queues());
        let counts = self.backlog.counts();
        assert_eq!(counts, Counts { dead: counts.dead, ..Counts::default() }, "the backlog holds something");
        let dead: Vec<_> = self.backlog.dead(0, usize::MAX).items.into_iter().map(|(_, letter)| letter).collect();
        self.ledger.check(&dead, self.board.epoch, self.plan.in_order());
        Summary {
            steps: self.steps,
            runs: self.ledger.runs,
            reruns: self.ledger.reruns,
            worker_kills: self.ledger.worker_kills,
            brokers: self.board.epoch,
            dead: counts.dead,
        }
    }

    /// One step of somebody; false when nobody has anything to do, now or later.
    fn step(&mut self) -> bool {
        self.steps += 1;
        self.now.dice = self.dice.roll();
        self.kill_somebody();
        let micros = self.dice.below(300) as u64;
        self.pass(micros);
        let due = self.backlog.promote(self.now).filter(|_| self.broker.is_some());
        self.find_actions();
        if self.actions.is_empty() {
            let timeout = self.broker.as_ref().and_then(|broker| broker.queue.poll_timeout(self.now));
            if let Some(micros) = due.into_iter().chain(timeout).min() {
                self.pass(micros.max(1));
                return true;
            }
            // Only now: sending again and again what is under way would leave nothing else to do.
            let Some(client) = self.clients.iter().position(|client| !client.unconfirmed.is_empty()) else { return false };
            self.clients[client].send_again(&mut self.dice);
            return true;
        }
        let action = self.actions[self.dice.below(self.actions.len())];
        if self.traced {
            eprintln!("{} {} {action:?}", self.steps, self.now.mono.0);
        }
        self.act(action);
        self.check_caps();
        true
    }

    /// The first broker knows all that runs: nothing ever runs beyond a cap. A later one is told of what runs from before.
    fn check_caps(&self) {
        let Some(broker) = self.broker.as_ref().filter(|_| self.plan.queues && self.board.epoch == 1) else { return };
        for queue in broker.queue.queues() {
            assert!(queue.concurrency.is_none_or(|most| queue.running <= most), "{queue:?}");
        }
    }

    fn pass(&mut self, micros: u64) {
        self.now.mono = self.now.mono.plus(micros);
        self.now.wall = self.now.wall.plus(micros);
    }

    fn kill_somebody(&mut self) {
        match self.plan.at {
            Some((step, Kill::Worker(number))) if step == self.steps => self.kill_worker(number),
            Some((step, Kill::Broker)) if step == self.steps => self.kill_broker(),
            _ => {}
        }
        if self.steps > self.plan.wild_steps {
            return;
        }
        let number = self.dice.below(self.plan.workers);
        if self.dice.chance(self.plan.worker_kills) {
            self.kill_worker(number);
        } else if self.dice.chance(self.plan.broker_kills) {
            self.kill_broker();
        } else if self.dice.chance(self.plan.stops)
            && let Some(worker) = &mut self.workers[number]
        {
            worker.stops = true;
        }
    }

    fn find_actions(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        actions.clear();
        let wild = self.steps <= self.plan.wild_steps;
        let hears = !wild || self.dice.chance(self.plan.hears);
        for (number, client) in self.clients.iter().enumerate() {
            let mut may = |action: Action, is: bool| actions.extend(is.then_some(action));
            may(Action::Publish(number), client.left > 0 && self.broker.is_some());
            may(Action::SendAgain(number), client.meets && self.broker.is_some());
            may(Action::SendCopy(number), wild && self.broker.is_some() && self.steps.is_multiple_of(8));
            may(Action::ClientHears(number), hears && !client.inbox.is_empty());
            may(Action::HearClient(number), self.broker.is_some() && !client.to_broker.is_empty());
        }
        for (number, slot) in self.board.slots.iter().enumerate() {
            match &self.workers[number] {
                Some(worker) => {
                    actions.extend(worker.is_busy(self.board.epoch).then_some(Action::Worker(number)));
                    actions.extend((self.broker.is_some() && !worker.to_broker.is_empty()).then_some(Action::HearWorker(number)));
                }
                None if slot.state == State::Free => actions.push(Action::Fork(number)),
                None => {
                    let here = self.broker.is_some() && !self.is_buried(number);
                    actions.extend(here.then_some(Action::SettleGrave(number)));
                    actions.extend((here && !self.last_reports[number].is_empty()).then_some(Action::HearWorker(number)));
                }
            }
        }
        let Some(broker) = &self.broker else {
            actions.push(Action::StartBroker);
            self.actions = actions;
            return;
        };
        let mut may = |action: Action, is: bool| actions.extend(is.then_some(action));
        let effects = &broker.effects;
        // A volatile backlog keeps at once, so that what is kept is said before anything else is fetched.
        let said = self.plan.durable || broker.due.is_empty();
        may(Action::Fetch, said && broker.queue.wants().iter().any(|(lane, _)| self.backlog.may_have(*lane)));
        may(Action::Tick, broker.queue.poll_timeout(self.now) == Some(0));
        may(Action::Keep, effects.commits() || !effects.at_once.is_empty() || !effects.after.is_empty());
        may(Action::DoNext, !broker.due.is_empty());
        may(Action::Recovered, !broker.recovered && broker.awaited.is_empty());
        self.actions = actions;
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Publish(number) => {
                let lanes = self.plan.lanes();
                for event in self.clients[number].publish(self.now.wall.0, &self.plan, &mut self.dice) {
                    if !event.bad {
                        let lane = lanes.of_record(&Record { name: event.name, ..Record::default() });
                        // A key is of its queue.
                        self.ledger.sent(&event.id, event.name, event.key.map(|key| (Lanes::queue(lane), key)));
                    }
                }
            }
            Action::SendAgain(number) => self.clients[number].send_again(&mut self.dice),
            // Where nothing survives the broker, a client that had its confirmation sends no more copies.
            Action::SendCopy(number) => self.clients[number].send_copy(self.plan.durable, &mut self.dice),
            Action::ClientHears(number) => {
                let frame = self.clients[number].inbox.pop_front().unwrap();
                for (id, refused) in self.clients[number].hear(&frame) {
                    if !refused {
                        self.ledger.confirmed(&id);
                    }
                }
            }
            Action::Fork(number) => {
                self.board.slots[number].prepare();
                let mut worker = Worker::default();
                if self.broker.is_some() {
                    worker.inbox.push_back(enquiry(self.board.epoch));
                }
                self.last_reports[number].clear();
                self.workers[number] = Some(worker);
            }
            Action::Worker(number) => self.step_worker(number),
            Action::StartBroker => self.start_broker(),
            Action::HearClient(number) => self.hear_client(number),
            Action::HearWorker(number) => self.hear_worker(number),
            Action::SettleGrave(number) => self.settle_grave(number),
            Action::Fetch => self.fetch(),
            Action::Tick => {
                if let Some(broker) = &mut self.broker {
                    let before = broker.effects.append.len();
                    broker.queue.handle_tick(self.now, &mut broker.effects);
                    for regained in &broker.effects.append[before..] {
                        self.ledger.regained(Record::decode(&regained.delivery.record).unwrap().id, self.board.epoch);
                    }
                }
            }
            Action::Keep => self.keep(),
            Action::DoNext => self.do_next(),
            Action::Recovered => {
                if let Some(broker) = &mut self.broker {
                    broker.recovered = true;
                    broker.queue.recovered();
                }
            }
        }
    }
}
