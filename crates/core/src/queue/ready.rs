//! Provides what is fetched and with no worker yet, by lane.

use crate::backlog::Reserved;
use crate::lanes::Lane;
use std::collections::VecDeque;

/// What is fetched and with no worker yet: each lane in its order.
#[derive(Debug, Default)]
pub(super) struct Ready {
    lanes: Vec<VecDeque<Reserved>>,
    len: usize,
}

impl Ready {
    pub const fn len(&self) -> usize {
        self.len
    }

    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many there are of a lane.
    pub fn len_of(&self, lane: Lane) -> usize {
        self.lanes.get(usize::from(lane)).map_or(0, VecDeque::len)
    }

    pub fn front(&self, lane: Lane) -> Option<&Reserved> {
        self.lanes.get(usize::from(lane))?.front()
    }

    pub fn pop_front(&mut self, lane: Lane) -> Option<Reserved> {
        let first = self.lanes.get_mut(usize::from(lane))?.pop_front()?;
        self.len -= 1;
        Some(first)
    }

    #[inline]
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Reserved> {
        let place = usize::from(lane);
        if self.lanes.len() <= place {
            self.lanes.resize_with(place + 1, VecDeque::new);
        }
        &mut self.lanes[place]
    }

    #[inline]
    pub fn push_back(&mut self, reserved: Reserved) {
        self.len += 1;
        self.lane(reserved.delivery.lane).push_back(reserved);
    }

    /// Puts hand-outs that nobody started to the front of their lanes, in their order.
    pub fn give_back(&mut self, rest: Vec<Reserved>) {
        self.len += rest.len();
        for reserved in rest.into_iter().rev() {
            self.lane(reserved.delivery.lane).push_front(reserved);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Reserved> {
        self.lanes.iter().flatten()
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&Reserved) -> bool) {
        self.lanes.iter_mut().for_each(|lane| lane.retain(&mut keep));
        self.len = self.lanes.iter().map(VecDeque::len).sum();
    }

    /// Sorts everything anew: `lane` tells where it belongs by now. What was in one lane keeps its order.
    pub fn sort(&mut self, lane: impl Fn(&Reserved) -> Lane) {
        self.len = 0;
        for mut reserved in std::mem::take(&mut self.lanes).into_iter().flatten() {
            reserved.delivery.lane = lane(&reserved);
            self.push_back(reserved);
        }
    }
}
