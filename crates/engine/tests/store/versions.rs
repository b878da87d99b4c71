//! Defines the model: each delivery and dead letter that ever was, what became of it, and what may be left of it after an end.

use proletarier_core::backlog::{Origin, Token};
use proletarier_core::delivery::{Delivery, Due};
use std::collections::HashMap;

/// When something was asked for: a ticket; 0 is what an opening found and was not synced; below 0, what no end undoes.
pub type Since = i64;
pub const FOR_EVER: Since = -1;

/// What became of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits, is reserved, or is a letter.
    None,
    Done(Since),
    Replaced(Since, Vec<usize>),
    /// It never was: an end took it.
    Lost,
}

/// A delivery or a dead letter.
#[derive(Clone, Debug)]
pub struct Version {
    pub delivery: Delivery,
    pub dead: Option<u64>,
    pub origin: Option<Origin>,
    pub since: Since,
    pub fate: Fate,
    /// The hand-out that is under way.
    pub token: Option<Token>,
    /// The latest there was.
    pub handed: Option<Token>,
    /// It was due at a promotion.
    pub was_due: bool,
    /// Its place in its session is certainly kept.
    pub is_numbered: bool,
    /// A letter's cursor.
    pub cursor: Option<Token>,
}

impl Version {
    pub fn is_live(&self) -> bool {
        self.fate == Fate::None
    }

    pub fn waits(&self) -> bool {
        self.is_live() && self.dead.is_none() && self.token.is_none()
    }

    pub fn is_pending(&self) -> bool {
        self.waits() && (self.delivery.due.is_none() || self.was_due)
    }
}

/// All of them.
#[derive(Default)]
pub struct Versions(pub Vec<Version>);

impl Versions {
    pub fn live(&self) -> impl Iterator<Item = (usize, &Version)> {
        self.0.iter().enumerate().filter(|(_, version)| version.is_live())
    }

    /// What an opening found is held against what must and what may be there after an end up to which `level` is certain.
    pub fn check_and_settle(&mut self, found: &HashMap<usize, usize>, level: Since, synced: Since, is_ordered: bool) {
        let there = |version: &usize| found.contains_key(version);
        for (id, count) in found {
            assert!(*count == 1, "version {id} is there {count} times");
            assert!(self.0[*id].fate != Fate::Lost, "version {id} was lost before, and is back");
        }
        for (id, version) in self.0.iter().enumerate() {
            match &version.fate {
                Fate::None => assert!(there(&id) || version.since > level, "version {id} is lost: {version:?}"),
                Fate::Lost => {}
                Fate::Done(since) => assert!(!there(&id) || *since > level, "version {id} was done, and is back"),
                Fate::Replaced(since, children) => {
                    assert!(!there(&id) || *since > level, "version {id} was replaced, and is back");
                    if there(&id) {
                        // Where power was lost a later replacement may be left without the one before it, so that both are there.
                        let child = children.iter().filter(|_| is_ordered).find(|child| self.any_there(**child, found));
                        assert!(child.is_none(), "version {id} is there with its replacement {child:?}");
                    } else if version.since <= level || is_ordered && children.iter().any(|child| self.any_there(*child, found)) {
                        for child in children {
                            assert!(
                                self.came(*child, found),
                                "version {id} is gone ({version:?}, certain up to {level}), and its replacement {child} is not there: {:?}",
                                self.0[*child]
                            );
                        }
                    }
                }
            }
        }
        self.settle(found, level, synced);
    }

    fn any_there(&self, id: usize, found: &HashMap<usize, usize>) -> bool {
        found.contains_key(&id)
            || matches!(&self.0[id].fate, Fate::Replaced(_, children) if children.iter().any(|child| self.any_there(*child, found)))
    }

    fn came(&self, id: usize, found: &HashMap<usize, usize>) -> bool {
        found.contains_key(&id)
            || match &self.0[id].fate {
                Fate::None | Fate::Lost => false,
                Fate::Done(_) => true,
                Fate::Replaced(_, children) => children.iter().all(|child| self.came(*child, found)),
            }
    }

    /// From here on what was found is what there is.
    fn settle(&mut self, found: &HashMap<usize, usize>, level: Since, synced: Since) {
        let lost: Vec<bool> =
            (0..self.0.len()).map(|id| self.0[id].since > level && !found.contains_key(&id) && !self.came(id, found)).collect();
        let mut gone_children = Vec::new();
        for (id, version) in self.0.iter_mut().enumerate() {
            version.token = None;
            if found.contains_key(&id) {
                if let Fate::Replaced(_, children) = std::mem::replace(&mut version.fate, Fate::None) {
                    gone_children.extend(children);
                }
            } else if lost[id] {
                version.fate = Fate::Lost;
            }
            let base = |since: Since| if since <= synced { FOR_EVER } else { 0 };
            version.since = base(version.since);
            match &mut version.fate {
                Fate::Done(since) | Fate::Replaced(since, _) => *since = base(*since),
                Fate::None | Fate::Lost => {}
            }
        }
        while let Some(id) = gone_children.pop() {
            if found.contains_key(&id) {
                continue;
            }
            if let Fate::Replaced(_, children) = std::mem::replace(&mut self.0[id].fate, Fate::Lost) {
                gone_children.extend(children);
            }
        }
    }

    /// Moments of the monotonic clock are told anew after an opening that finds the clocks otherwise.
    pub fn shift(&mut self, ahead_before: u64, ahead: u64) {
        for version in &mut self.0 {
            if let Some(Due::After(at)) = &mut version.delivery.due {
                at.0 = (at.0 + ahead_before).saturating_sub(ahead);
            }
        }
    }
}
