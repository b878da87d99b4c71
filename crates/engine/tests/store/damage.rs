//! What is left of a store that was damaged: every entry that is whole, and a true word on the rest, said once.

use crate::conforms::NOW;
use crate::dice::{Dice, hash};
use crate::each_seed;
use bytes::Bytes;
use proletarier_core::backlog::{Append, Backlog, Completion, Counts, Settlement};
use proletarier_core::delivery::{Delivery, Due};
use proletarier_engine::store::{Directory, Losses, Options, Store, StoreError, open_with};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const SMALL: Options =
    Options { threaded: false, smallest: 4096, largest: 4096, in_memory: 3, front: 300, due: 5, slack: 1 << 20 };
const BEGIN: usize = 64;

pub fn open(path: &Path) -> Result<(Store, Losses), StoreError> {
    let disk = Arc::new(Directory::new(path.to_owned(), 0o600));
    open_with(disk, 7, NOW, SMALL).map(|(store, found)| (store, found.losses))
}

pub fn poll(store: &mut Store) -> Vec<u64> {
    let mut tokens = Vec::new();
    while let Some(told) = store.poll() {
        match told {
            Completion::Fetched(fetched) => tokens.extend(fetched.iter().map(|reserved| reserved.token)),
            Completion::Failed(error) => panic!("{error}"),
            Completion::Done(_) | Completion::Synced(_) => {}
        }
    }
    tokens
}

/// A store of events, parked ones and letters, in several segments of two openings; some are handled.
fn fill(path: &Path, dice: &mut Dice) {
    let mut number = 0;
    for _ in 0..2 {
        let (mut store, losses) = open(path).unwrap();
        assert!(losses.is_none());
        for _ in 0..10 {
            let mut batch = Vec::new();
            for _ in 0..1 + dice.below(12) {
                number += 1;
                let text = format!("id=<{number}>{}", "x".repeat(dice.below(300)));
                let due = dice.chance(200).then(|| Due::At(NOW.wall.plus(1_000_000)));
                let dead = (due.is_none() && dice.chance(100)).then_some(9);
                let delivery = Delivery { due, ..Delivery::first(Bytes::from(text)) };
                batch.push(Append { dead, ..delivery.into() });
            }
            store.append(&mut batch, NOW);
            poll(&mut store);
            store.fetch(dice.below(4));
            for token in poll(&mut store) {
                store.settle(&mut vec![(token, Settlement::Done)], NOW);
            }
            poll(&mut store);
        }
    }
}

fn number_in(text: &[u8]) -> Option<u64> {
    let at = text.windows(4).position(|window| window == b"id=<")? + 4;
    let end = at + text[at..].iter().position(|byte| *byte == b'>')?;
    std::str::from_utf8(&text[at..end]).ok()?.parse().ok()
}

/// The events that are there.
pub fn listed(store: &mut Store) -> BTreeSet<u64> {
    let (mut found, mut after) = (Vec::new(), Some(0));
    while let Some(token) = after {
        let page = store.waiting(token, 7);
        found.extend(page.items.iter().map(|waiting| number_in(&waiting.delivery.record).unwrap()));
        after = page.next;
    }
    found.extend(store.dead(0, 10_000).items.iter().map(|(_, letter)| number_in(&letter.delivery.record).unwrap()));
    let set: BTreeSet<_> = found.iter().copied().collect();
    assert_eq!(set.len(), found.len(), "each is there once");
    set
}

/// A frame as it was before the damage.
#[derive(Debug)]
pub struct Frame {
    pub at: usize,
    tag: [u8; 4],
    pub body: Vec<u8>,
}

impl Frame {
    fn parse(file: &[u8], at: usize) -> Option<Self> {
        let word = |at: usize| file.get(at..at + 4).map(|word| <[u8; 4]>::try_from(word).unwrap());
        let (length, tag, checksum) = (u32::from_le_bytes(word(at)?) as usize, word(at + 4)?, word(at + 8)?);
        let body = file.get(at + 12..at + 12 + length).filter(|body| !body.is_empty())?;
        (crc32fast::hash(&[&tag, body].concat()).to_le_bytes() == checksum).then(|| Self { at, tag, body: body.to_vec() })
    }

    fn is_whole(&self, file: &[u8]) -> bool {
        let checksum = crc32fast::hash(&[&self.tag[..], &self.body].concat());
        let length = (self.body.len() as u32).to_le_bytes();
        file.get(self.at..self.at + 4) == Some(&length)
            && file.get(self.at + 8..self.at + 12) == Some(&checksum.to_le_bytes())
            && file.get(self.at + 12..self.at + 12 + self.body.len()) == Some(&self.body)
    }

    /// The sequence number of the event in it, and the event.
    fn event(&self) -> Option<(u64, u64)> {
        let at = match self.body[0] {
            1 => 2,
            7 => 10,
            _ => return None,
        };
        Some((u64::from_le_bytes(self.body[at..at + 8].try_into().unwrap()), number_in(&self.body)?))
    }

    fn settles(&self) -> Vec<u64> {
        if self.body[0] != 2 {
            return Vec::new();
        }
        let runs = self.body[1..].chunks(12).map(|run| {
            let (first, count) =
                (u64::from_le_bytes(run[..8].try_into().unwrap()), u32::from_le_bytes(run[8..].try_into().unwrap()));
            first..first + u64::from(count)
        });
        runs.flatten().collect()
    }
}

pub fn frames(file: &[u8]) -> Vec<Frame> {
    let mut at = BEGIN;
    std::iter::from_fn(|| {
        let frame = Frame::parse(file, at)?;
        at += (12 + frame.body.len()).next_multiple_of(8);
        Some(frame)
    })
    .collect()
}

pub fn names(path: &Path, end: &str) -> Vec<String> {
    let names = std::fs::read_dir(path).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}

pub fn remove_indexes(path: &Path) {
    for name in [names(path, ".index"), names(path, ".new")].concat() {
        std::fs::remove_file(path.join(name)).unwrap();
    }
}

pub fn change(path: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path.join(name)).unwrap();
    change(&mut bytes);
    std::fs::write(path.join(name), bytes).unwrap();
}

/// Does some damage. Where the content of each file is then.
fn damage(path: &Path, dice: &mut Dice) -> (String, BTreeMap<String, String>) {
    let mut places: BTreeMap<_, _> = names(path, "").into_iter().map(|name| (name.clone(), name)).collect();
    let mut done = String::new();
    for _ in 0..1 + dice.below(3) {
        let all = names(path, "");
        if all.is_empty() {
            break;
        }
        let name = &all[dice.below(all.len())];
        let length = std::fs::metadata(path.join(name)).unwrap().len() as usize;
        let place = dice.below(length.max(1));
        match dice.below(6) {
            0 => {
                for _ in 0..1 + dice.below(3) {
                    let (place, bit) = (dice.below(length.max(1)), dice.below(8));
                    done += &format!("flip {name} {place} {bit}; ");
                    change(path, name, |bytes| bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << bit));
                }
            }
            1 => {
                done += &format!("truncate {name} {place}; ");
                change(path, name, |bytes| bytes.truncate(place));
            }
            2 => {
                done += &format!("delete {name}; ");
                std::fs::remove_file(path.join(name)).unwrap();
            }
            3 => {
                let other = &all[dice.below(all.len())];
                done += &format!("swap {name} {other}; ");
                let between = path.join("between");
                std::fs::rename(path.join(name), &between).unwrap();
                if name != other {
                    std::fs::rename(path.join(other), path.join(name)).unwrap();
                }
                std::fs::rename(&between, path.join(other)).unwrap();
                for at in places.values_mut() {
                    if at == name {
                        at.clone_from(other);
                    } else if at == other {
                        at.clone_from(name);
                    }
                }
            }
            4 => {
                let count = 1 + dice.below(600);
                done += &format!("zero {name} {place} {count}; ");
                change(path, name, |bytes| bytes.iter_mut().skip(place).take(count).for_each(|byte| *byte = 0));
            }
            _ => {
                done += &format!("append {name}; ");
                let garbage: Vec<_> = (0..dice.below(3000)).map(|_| dice.roll() as u8).collect();
                change(path, name, |bytes| bytes.extend(garbage));
            }
        }
    }
    (done, places)
}

#[test]
fn what_is_whole_is_there_and_the_rest_is_told_of_once() {
    each_seed(150, |seed| {
        let mut dice = Dice::new(hash("damage", &[seed]));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fill(path, &mut dice);
        remove_indexes(path);
        let before: BTreeMap<_, _> =
            names(path, ".journal").into_iter().map(|name| (name.clone(), std::fs::read(path.join(name)).unwrap())).collect();
        let (done, places) = damage(path, &mut dice);
        eprintln!("{seed}: {done}");
        let (mut there, mut settled, mut lost, mut between) =
            (BTreeMap::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (name, old) in &before {
            let place = &places[name];
            let new = std::fs::read(path.join(place)).unwrap_or_default();
            let is_found = !place.starts_with("spare-") && (place == name || new.get(..BEGIN) == Some(&old[..BEGIN]));
            let mut behind = Vec::new();
            for frame in frames(old) {
                let whole = is_found && frame.is_whole(&new);
                if whole {
                    settled.extend(frame.settles());
                }
                match frame.event() {
                    Some((sequence, number)) if whole => {
                        between.extend(behind.drain(..).filter(|_| !there.is_empty()));
                        there.insert(sequence, number);
                    }
                    Some((sequence, _)) => {
                        lost.insert(sequence);
                        behind.push(sequence);
                    }
                    None => {}
                }
            }
        }
        let expected: BTreeSet<_> =
            there.iter().filter(|(sequence, _)| !settled.contains(sequence)).map(|(_, number)| *number).collect();
        let (mut store, losses) = open(path).unwrap();
        assert_eq!(listed(&mut store), expected, "{losses}");
        let count = |lost: &BTreeSet<u64>| lost.difference(&settled).count() as u64;
        assert!(losses.entries <= count(&lost), "{losses}, and {} are lost", count(&lost));
        assert!(losses.entries >= count(&between), "{losses}, and {} are lost between others", count(&between));
        for piece in &losses.aside {
            assert!(path.join(piece).exists(), "{piece} is set aside");
        }
        poll(&mut store);
        drop(store);
        let (mut store, losses) = open(path).unwrap();
        assert!(losses.is_none(), "told again: {losses}");
        assert_eq!(listed(&mut store), expected);
        drain(&mut store);
    });
}

/// The same, with an index file of each segment.
fn fill_and_index(path: &Path, dice: &mut Dice) {
    fill(path, dice);
    let (mut store, _) = open(path).unwrap();
    store.settle(&mut Vec::new(), NOW);
    store.sync();
    poll(&mut store);
    drop(store);
    assert!(names(path, ".index").len() > 4, "{:?}", names(path, ""));
}

fn entries_told(store: &mut Store) -> u64 {
    let count = |news: String| -> u64 { news.split(" bytes, ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap() };
    store.take_news().into_iter().map(count).sum()
}

#[test]
fn what_is_damaged_behind_an_index_is_told_of_when_it_is_met() {
    each_seed(100, |seed| {
        let mut dice = Dice::new(hash("met", &[seed]));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fill_and_index(path, &mut dice);
        let (mut there, mut lost, mut settled) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        for name in names(path, ".journal") {
            let old = std::fs::read(path.join(&name)).unwrap();
            let end = frames(&old).last().unwrap().at;
            if dice.chance(500) && path.join(name.replace("journal", "index")).exists() {
                let (place, count) = (BEGIN + dice.below(end + 12 - BEGIN), 1 + dice.below(900));
                change(path, &name, |bytes| bytes.iter_mut().skip(place).take(count).for_each(|byte| *byte ^= 0x55));
            }
            let new = std::fs::read(path.join(&name)).unwrap();
            for frame in frames(&old) {
                settled.extend(frame.settles());
                let Some((sequence, number)) = frame.event() else { continue };
                if frame.is_whole(&new) {
                    there.insert(sequence, number);
                } else {
                    lost.insert(sequence);
                }
            }
        }
        there.retain(|sequence, _| !settled.contains(sequence));
        lost.retain(|sequence| !settled.contains(sequence));
        for told in [lost.len() as u64, 0] {
            let (mut store, losses) = open(path).unwrap();
            assert!(losses.is_none());
            assert_eq!(listed(&mut store), there.values().copied().collect());
            store.promote(NOW);
            let mut later = NOW;
            later.wall.0 += 10_000_000;
            later.mono.0 += 10_000_000;
            for _ in 0..2_000 {
                store.promote(later);
                store.fetch(5);
                poll(&mut store);
            }
            let counts = store.counts();
            assert_eq!((counts.pending, counts.parked), (0, 0), "nothing waits that is not there");
            assert_eq!(counts.reserved + counts.dead, there.len() as u64);
            assert_eq!(entries_told(&mut store), told);
        }
        let (mut store, _) = open(path).unwrap();
        drain(&mut store);
        assert_eq!(entries_told(&mut store), 0);
    });
}

#[test]
fn a_damaged_index_costs_nothing() {
    each_seed(60, |seed| {
        let mut dice = Dice::new(hash("index", &[seed]));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fill_and_index(path, &mut dice);
        let before = listed(&mut open(path).unwrap().0);
        let indexes = directory.path().join("indexes");
        std::fs::create_dir(&indexes).unwrap();
        let all = names(path, ".index");
        all.iter().for_each(|name| std::fs::rename(path.join(name), indexes.join(name)).unwrap());
        damage(&indexes, &mut dice);
        names(&indexes, "").iter().for_each(|name| std::fs::rename(indexes.join(name), path.join(name)).unwrap());
        std::fs::remove_dir(&indexes).unwrap();
        let (mut store, losses) = open(path).unwrap();
        assert!(losses.is_none(), "{losses}");
        assert_eq!(listed(&mut store), before);
        drain(&mut store);
    });
}

/// All is given out and settled, and nothing is left.
fn drain(store: &mut Store) {
    let mut now = NOW;
    now.wall.0 += 10_000_000;
    now.mono.0 += 10_000_000;
    let letters: Vec<_> = store.dead(0, 10_000).items.iter().map(|(token, _)| (*token, Settlement::Done)).collect();
    store.settle(&mut letters.clone(), now);
    for _ in 0..2_000 {
        store.promote(now);
        store.fetch(5);
        let tokens = poll(store);
        if tokens.is_empty() && store.counts() == Counts::default() {
            return;
        }
        store.settle(&mut tokens.iter().map(|token| (*token, Settlement::Done)).collect(), now);
        poll(store);
    }
    panic!("left: {:?}, {:?}", store.counts(), listed(store));
}
