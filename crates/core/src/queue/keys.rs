//! Keeps the order by key: of events with one key in one queue, one is handled at a time, in the order in which they were fetched.
//!
//! ```text
//!  fetched ── its key is free, or its event's ──> ready ──> a worker ──> settled: replaced by what holds the key on, or
//!     └────── another event has it ──> line of the key <── next ─────────────────── nothing of the event is left
//! ```
//! A key is held by an event, through all its deliveries: `open` counts those that are not settled, of which `present` are fetched. What stands
//! in the place of another says so itself ([`Delivery::holds_key`]), so that a store can tell after a broker's death whom events of the key
//! wait for. What a key is let go for is `loose`: it is counted, and waits as others do once it is fetched.
//!
//! Keys and events are known by hashes of 64 bits: two keys that have one by chance wait for one another, and nothing worse.

use super::soon::Soon;
use crate::backlog::{Replacement, Reserved, Settlement, Token};
use crate::delivery::{Delivery, Due, Rest};
use crate::lanes::{Lane, Lanes};
use crate::record::Record;
use crate::time::Now;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::DefaultHasher;
use std::hash::Hasher as _;
use std::sync::Arc;

/// Keys that failed events hold at once; the failure of one more no longer blocks its key.
pub const MAX_BLOCKED: usize = 10_000;
/// Deliveries that are held back at once, over all keys, and bytes of their records. A lane takes no more in than the others leave free, so
/// that one alone holds half of it at most.
pub const MAX_HELD_BACK: usize = 100_000;
/// See [`MAX_HELD_BACK`].
pub const MAX_HELD_BACK_BYTES: usize = 64 << 20;

/// A key that is held, or waited for.
#[derive(Debug, Default)]
struct Key {
    /// The event that holds it, while `open` is not 0.
    holder: u64,
    open: u32,
    present: u32,
    /// The holder failed.
    failing: bool,
    /// Fetched, and another event has the key.
    line: VecDeque<Reserved>,
    /// Events that lost the key, with how many deliveries of theirs in the backlog say that they hold it.
    loose: Vec<(u64, u32)>,
}

impl Key {
    /// Whether all that is left of the holder is in the backlog, and may be so for long.
    const fn is_absent(&self) -> bool {
        self.open > 0 && self.present == 0
    }

    /// One of an event that lost the key is no longer in the backlog. Whether there was one.
    fn untie(&mut self, event: u64) -> bool {
        let Some(place) = self.loose.iter().position(|(loose, _)| *loose == event) else { return false };
        self.loose[place].1 -= 1;
        if self.loose[place].1 == 0 {
            self.loose.swap_remove(place);
        }
        true
    }
}

/// An event that holds its key, as a store tells of it: of each delivery that says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHolder {
    name: Box<str>,
    queue: Option<Box<str>>,
    key: Box<str>,
    event: u64,
}

impl KeyHolder {
    /// The event's; none where it has no key, or the delivery does not hold it.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Option<Self> {
        let record = delivery.holds_key().then(|| Record::decode(&delivery.record).ok())??;
        let (key, event) = (record.key?.into(), hash(&(record.id.as_bytes(), record.triggered_at)));
        Some(Self { name: record.name.into(), queue: record.queue.map(Into::into), key, event })
    }
}

/// How much is held back.
#[derive(Debug, Default)]
struct HeldBack {
    count: usize,
    bytes: usize,
    by_lane: BTreeMap<Lane, (usize, usize)>,
}

impl HeldBack {
    fn add(&mut self, delivery: &Delivery) {
        let (count, bytes) = self.by_lane.entry(delivery.lane).or_default();
        (*count, *bytes) = (*count + 1, *bytes + delivery.record.len());
        (self.count, self.bytes) = (self.count + 1, self.bytes + delivery.record.len());
    }

    fn remove(&mut self, delivery: &Delivery) {
        let Some((count, bytes)) = self.by_lane.get_mut(&delivery.lane) else { return };
        (*count, *bytes) = (*count - 1, *bytes - delivery.record.len());
        if *count == 0 {
            self.by_lane.remove(&delivery.lane);
        }
        (self.count, self.bytes) = (self.count - 1, self.bytes - delivery.record.len());
    }

    fn is_full(&self, lane: Lane) -> bool {
        self.by_lane.get(&lane).is_some_and(|(count, bytes)| {
            *count >= MAX_HELD_BACK.saturating_sub(self.count) || *bytes >= MAX_HELD_BACK_BYTES.saturating_sub(self.bytes)
        })
    }
}

/// The keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    lanes: Lanes,
    /// The queues that there were when the keys that are in use came into use: they stay of these until none of them is in use.
    former: Option<Lanes>,
    /// Whether failures block keys, by the queue's place.
    blocks: Vec<bool>,
    keys: HashMap<u64, Key>,
    /// Keys whose holders failed.
    failing: usize,
    /// Keys whose holders are in the backlog, in an order that chance has no part in.
    absent: BTreeSet<u64>,
    held_back: HeldBack,
    /// Next of their keys: to be ready.
    freed: VecDeque<Reserved>,
    /// Hand-outs of brokers before that are counted.
    adopted: HashSet<Token>,
}

impl Keys {
    pub fn new(lanes: &Lanes, holders: impl IntoIterator<Item = KeyHolder>) -> Self {
        let mut keys = Self { lanes: lanes.clone(), blocks: blocks(lanes), ..Self::default() };
        for holder in holders {
            let record = Record { name: &holder.name, queue: holder.queue.as_deref(), ..Record::default() };
            keys.restore(key(lanes.of_record(&record), holder.key.as_bytes()), holder.event);
        }
        keys
    }

    /// Other queues from now on.
    pub fn set_lanes(&mut self, lanes: &Lanes) {
        let before = std::mem::replace(&mut self.lanes, lanes.clone());
        if !self.keys.is_empty() {
            self.former.get_or_insert(before);
        }
        self.blocks = blocks(lanes);
        self.held_back = HeldBack::default();
        for reserved in self.keys.values_mut().flat_map(|key| &mut key.line) {
            reserved.delivery.lane = lanes.of(&reserved.delivery);
            self.held_back.add(&reserved.delivery);
        }
        self.freed.iter_mut().for_each(|reserved| reserved.delivery.lane = lanes.of(&reserved.delivery));
    }

    /// The names of a delivery's key and event; none where it has no key.
    fn names(&self, delivery: &Delivery) -> Option<(u64, u64)> {
        let head = Record::head(&delivery.record)?;
        let name = head.key?;
        let lane = self.former.as_ref().map_or(delivery.lane, |former| former.of(delivery));
        Some((key(lane, name), hash(&(head.id, head.triggered_at))))
    }

    pub const fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// One that was fetched: back, if it may be handed out, else it is held back.
    pub fn admit(&mut self, reserved: Reserved) -> Option<Reserved> {
        let Some((name, event)) = self.names(&reserved.delivery) else { return Some(reserved) };
        let key = self.keys.entry(name).or_default();
        let holds = reserved.delivery.holds_key();
        if key.open == 0 || key.holder == event {
            // What says that it holds the key was counted when it was kept.
            let counted = holds && !key.untie(event) && key.open > 0;
            key.holder = event;
            key.open += u32::from(!counted);
            key.present += 1;
            self.absent.remove(&name);
            return Some(reserved);
        }
        if holds {
            key.untie(event);
        }
        self.held_back.add(&reserved.delivery);
        key.line.push_back(reserved);
        None
    }

    /// A hand-out of a broker before's that a worker has claimed. It may be told more than once.
    pub fn hold(&mut self, reserved: &Reserved) {
        let Some((name, event)) = self.names(&reserved.delivery) else { return };
        if !self.adopted.insert(reserved.token) {
            return;
        }
        let key = self.keys.entry(name).or_default();
        if key.open > 0 && key.holder != event && key.present == 0 {
            // It had lost the key, and a worker has the next.
            key.loose.push((key.holder, key.open));
            (key.open, self.failing) = (0, self.failing - usize::from(std::mem::take(&mut key.failing)));
        }
        if key.open == 0 || key.holder == event {
            let counted = reserved.delivery.holds_key() && !key.untie(event) && key.open > 0;
            key.holder = event;
            key.open += u32::from(!counted);
            key.present += 1;
        }
        self.mark(name);
    }

    /// One of a delivery that was kept as holding its key.
    fn restore(&mut self, name: u64, event: u64) {
        let key = self.keys.entry(name).or_default();
        if key.open == 0 || key.holder == event {
            (key.holder, key.open) = (event, key.open + 1);
            self.failing += usize::from(!std::mem::replace(&mut key.failing, true));
        } else if let Some((_, count)) = key.loose.iter_mut().find(|(loose, _)| *loose == event) {
            *count += 1;
        } else {
            key.loose.push((event, 1));
        }
        self.mark(name);
    }

    /// A delivery that was fetched is settled. Says of what stands in its place whether it holds the key, and makes that due now if it is
    /// due at all times: nothing of its key goes before it. Whether the failure was to block the key, and too many are.
    pub fn settle(&mut self, settled: &Reserved, settlement: &mut Settlement, now: Now) -> bool {
        let Some((name, event)) = self.names(&settled.delivery) else { return false };
        if !self.adopted.is_empty() {
            self.adopted.remove(&settled.token);
        }
        let Some(key) = self.keys.get_mut(&name).filter(|key| key.open > 0 && key.holder == event) else { return false };
        let may_block = self.blocks.get(Lanes::queue(settled.delivery.lane)).is_none_or(|blocks| *blocks);
        let has_place = key.failing || self.failing < MAX_BLOCKED;
        let (mut open, mut fails, mut too_many) = (0, false, false);
        let replacements: &mut [_] = match settlement {
            Settlement::Done => &mut [],
            Settlement::Replace(replacements) => replacements,
        };
        for replacement in replacements {
            let Replacement::Delivery(next) = replacement else { continue };
            let failed = next.attempt > settled.delivery.attempt;
            let holds = !failed || (may_block && has_place);
            too_many |= failed && may_block && !has_place;
            fails |= failed && holds;
            set_holds_key(next, holds);
            if holds {
                open += 1;
                next.due.get_or_insert(Due::After(now.mono));
            }
        }
        if fails && !key.failing {
            key.failing = true;
            self.failing += 1;
        }
        key.open = key.open + open - 1;
        key.present = key.present.saturating_sub(1);
        self.go_on(name);
        too_many
    }

    /// One that was in the backlog, and not fetched, is cancelled.
    pub fn cancel(&mut self, delivery: &Delivery) {
        if !delivery.holds_key() {
            return;
        }
        // Lists need not know lanes.
        let Some((name, event)) = self.names(&Delivery { lane: self.lanes.of(delivery), ..delivery.clone() }) else { return };
        let Some(key) = self.keys.get_mut(&name) else { return };
        if !key.untie(event) && key.holder == event && key.open > key.present {
            key.open -= 1;
        }
        self.go_on(name);
    }

    /// Those in lines that `goes` says are taken out of them: they never held their keys.
    pub fn take_out(&mut self, goes: impl Fn(Token) -> bool) -> Vec<Reserved> {
        let mut out = Vec::new();
        if self.held_back.count == 0 {
            return out;
        }
        for key in self.keys.values_mut().filter(|key| !key.line.is_empty()) {
            let before = out.len();
            key.line.iter().filter(|reserved| goes(reserved.token)).for_each(|reserved| out.push(reserved.clone()));
            if out.len() > before {
                key.line.retain(|reserved| !goes(reserved.token));
            }
        }
        out.iter().for_each(|reserved| self.held_back.remove(&reserved.delivery));
        out.sort_by_key(|reserved| reserved.token);
        out
    }

    /// What is held back, or was freed just now.
    pub fn waiting(&self) -> impl Iterator<Item = &Reserved> {
        self.keys.values().flat_map(|key| &key.line).chain(&self.freed)
    }

    /// Deliveries that are held back.
    pub const fn held_back(&self) -> usize {
        self.held_back.count
    }

    /// Keys that failed events hold.
    pub const fn blocked(&self) -> usize {
        self.failing
    }

    pub fn is_full(&self, lane: Lane) -> bool {
        self.held_back.is_full(lane)
    }

    pub fn has_freed(&self) -> bool {
        !self.freed.is_empty()
    }

    /// The next that is free to go out.
    pub fn next_freed(&mut self) -> Option<Reserved> {
        self.freed.pop_front()
    }

    /// Where a lane is full, lets go of the key whose holder is nowhere near and for which most wait. How many were let go.
    pub fn relieve(&mut self, soon: &Soon) -> u64 {
        let full: Vec<Lane> = self.held_back.by_lane.keys().copied().filter(|lane| self.held_back.is_full(*lane)).collect();
        let mut given_up = 0;
        for lane in full {
            let waits = |name: &u64| {
                let key = self.keys.get(name).filter(|key| !soon.awaits(key.holder))?;
                (key.line.front()?.delivery.lane == lane).then_some((key.line.len(), *name))
            };
            let Some((_, name)) = self.absent.iter().filter_map(waits).max() else { continue };
            if let Some(key) = self.keys.get_mut(&name) {
                key.loose.push((key.holder, std::mem::take(&mut key.open)));
                given_up += 1;
                self.go_on(name);
            }
        }
        given_up
    }

    /// Where nothing of the holder is left, the key is the next one's, or gone.
    fn go_on(&mut self, name: u64) {
        let Some(key) = self.keys.get_mut(&name) else { return };
        if key.open == 0 {
            self.failing -= usize::from(std::mem::take(&mut key.failing));
            key.present = 0;
            if let Some(next) = key.line.pop_front() {
                self.held_back.remove(&next.delivery);
                (key.holder, key.open, key.present) = (event_of(&next.delivery).unwrap_or(0), 1, 1);
                self.freed.push_back(next);
            } else if key.loose.is_empty() {
                self.keys.remove(&name);
                if self.keys.is_empty() {
                    self.former = None;
                }
            }
        }
        self.mark(name);
    }

    fn mark(&mut self, name: u64) {
        if self.keys.get(&name).is_some_and(Key::is_absent) {
            self.absent.insert(name);
        } else if !self.absent.is_empty() {
            self.absent.remove(&name);
        }
    }
}

/// Whether failures block keys, by the queue's place.
fn blocks(lanes: &Lanes) -> Vec<bool> {
    let blocks = |name: &String| lanes.queues().all().iter().find(|queue| queue.name == *name).is_none_or(|queue| queue.block);
    lanes.names().iter().map(blocks).collect()
}

fn set_holds_key(delivery: &mut Delivery, holds: bool) {
    if delivery.holds_key() != holds {
        let rest = Rest { holds_key: holds, ..delivery.rest.as_deref().cloned().unwrap_or_default() };
        delivery.rest = (rest != Rest::default()).then(|| Arc::new(rest));
    }
}

fn hash(what: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn key(lane: Lane, key: &[u8]) -> u64 {
    hash(&(Lanes::queue(lane), key))
}

/// The name of a delivery's event.
pub(super) fn event_of(delivery: &Delivery) -> Option<u64> {
    let head = Record::head(&delivery.record)?;
    Some(hash(&(head.id, head.triggered_at)))
}
