//! Provides what is fetched and with no worker yet.

use crate::backlog::Reserved;
use std::collections::VecDeque;

/// What is fetched and with no worker yet, in its order.
#[derive(Debug, Default)]
pub(super) struct Ready(VecDeque<Reserved>);

impl Ready {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn front(&self) -> Option<&Reserved> {
        self.0.front()
    }

    pub fn pop_front(&mut self) -> Option<Reserved> {
        self.0.pop_front()
    }

    pub fn push_back(&mut self, reserved: Reserved) {
        self.0.push_back(reserved);
    }

    /// Puts hand-outs that nobody started to the front, in their order.
    pub fn give_back(&mut self, rest: Vec<Reserved>) {
        for reserved in rest.into_iter().rev() {
            self.0.push_front(reserved);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Reserved> {
        self.0.iter()
    }

    pub fn retain(&mut self, keep: impl FnMut(&Reserved) -> bool) {
        self.0.retain(keep);
    }
}
