//! Provides a model of the scoreboard: what it lets one do is what the engine's does, step by step as a kill can fall between them.

use bytes::Bytes;
use proletarier_core::failure::Failure;
use proletarier_core::frame::Held;
use proletarier_core::listener::ListenerIndex;
use proletarier_core::queue::{ChunkRemains, ListenerMark, MAX_CREDIT, Remains};

/// A chunk's place in a slot.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub number: u32,
    pub finished: u16,
    pub claimed: u16,
    pub limit: u16,
    pub marks: Vec<ListenerMark>,
    pub tokens: Vec<u64>,
    /// The chunk as it was handed out: what a durable store has under the tokens.
    pub frame: Bytes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Free,
    Working,
    Dead,
}

/// A worker's slot. A worker here is booted as soon as it is forked.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub state: State,
    pub incarnation: u32,
    pub places: [Place; MAX_CREDIT],
    pub listener: Option<ListenerIndex>,
    pub last_words: Option<Failure>,
    pub end: String,
    pub event: String,
}

impl Slot {
    /// A worker is forked into the slot.
    pub fn prepare(&mut self) {
        *self = Self { incarnation: self.incarnation + 1, state: State::Working, ..Self::default() };
    }

    pub fn place(&mut self, chunk: u32) -> Option<&mut Place> {
        Some(&mut self.places[chunk as usize % MAX_CREDIT]).filter(|place| place.number == chunk)
    }

    pub fn offer(&mut self, chunk: u32, tokens: Vec<u64>, frame: Bytes) {
        let limit = tokens.len() as u16;
        self.places[chunk as usize % MAX_CREDIT] = Place { number: chunk, limit, tokens, frame, ..Place::default() };
    }

    pub fn claim(&mut self, chunk: u32) -> Option<u16> {
        let place = self.place(chunk)?;
        (place.claimed < place.limit).then(|| {
            place.claimed += 1;
            place.claimed - 1
        })
    }

    pub fn give_back(&mut self, chunk: u32) -> Option<u16> {
        let place = self.place(chunk)?;
        place.limit = place.claimed;
        Some(place.limit)
    }

    pub fn running_event(&self) -> Option<String> {
        self.places.iter().any(|place| place.claimed > place.finished).then(|| self.event.clone())
    }

    pub fn remains(&self) -> Remains {
        let used = self.places.iter().filter(|place| place.number != 0);
        Remains {
            incarnation: self.incarnation,
            chunks: used
                .map(|place| ChunkRemains {
                    number: place.number,
                    finished: place.finished,
                    claimed: place.claimed,
                    marks: place.marks.clone(),
                })
                .collect(),
            listener: self.listener,
            last_words: self.last_words.clone(),
            end: self.end.clone(),
        }
    }

    /// What the slot's worker would hold, as far as slot and store can tell: for one that died before it met the broker.
    pub fn held(&self) -> Vec<Held> {
        let mut used: Vec<_> = self.places.iter().filter(|place| place.number != 0).collect();
        used.sort_by_key(|place| place.number);
        used.into_iter()
            .map(|place| Held {
                frame: place.frame.clone(),
                finished: 0,
                claimed: place.claimed,
                limit: place.claimed,
                failures: Vec::new(),
            })
            .collect()
    }
}

impl Place {
    /// A finished delivery's marks are thrown away but for failures, mark by mark in place: `torn` is a kill before the end of that.
    pub fn compact(&mut self, delivery: u16, torn: bool) {
        let first = self.marks.iter().position(|mark| mark.delivery == delivery).unwrap_or(self.marks.len());
        let mut kept = first;
        for place in first..self.marks.len() {
            if self.marks[place].failed {
                self.marks[kept] = self.marks[place];
                kept += 1;
            }
        }
        if !torn {
            self.marks.truncate(kept);
        }
    }
}
