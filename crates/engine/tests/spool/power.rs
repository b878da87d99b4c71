//! Power is lost at every call to the disk, and every event that was said to be synced is in the spool, or where the drainer has put it.

use crate::dice::{Dice, hash};
use crate::platter::Platter;
use proletarier_core::settings::Permissions;
use proletarier_engine::spool::{Claim, Disk, Draining, Entry, Spool, SpoolError, SpoolOptions, System, Wait, events_wait};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const SLICE: usize = 1024;

/// Processes that append, and one that drains into a store.
struct World {
    root: TempDir,
    disk: Platter,
    dice: Dice,
    writers: Vec<Spool>,
    drainer: Option<(Claim, Option<Draining>)>,
    next: u64,
    /// Events that are in the spool, as its writers were told, also if power is lost.
    promised: BTreeSet<u64>,
    /// What the store has, and what it has synced of it.
    taken: BTreeSet<u64>,
    kept: BTreeSet<u64>,
}

fn options(root: &Path) -> SpoolOptions {
    SpoolOptions { dir: root.join("state/spool"), max: 64 << 20, permissions: Permissions::default() }
}

impl World {
    fn new(dice: Dice) -> Self {
        let root = tempfile::tempdir().unwrap();
        let disk = Platter::new(root.path());
        let (promised, taken, kept) = Default::default();
        let mut world = Self { root, disk, dice, writers: Vec::new(), drainer: None, next: 1, promised, taken, kept };
        world.start();
        world
    }

    fn start(&mut self) {
        self.drainer = None;
        self.writers = (0..2).map(|_| Spool::on(options(self.root.path()), Arc::new(self.disk.clone()))).collect();
    }

    /// Power is lost, and comes back.
    fn lose_power(&mut self) {
        let root = tempfile::tempdir().unwrap();
        self.disk = self.disk.after(root.path(), &mut self.dice);
        self.root = root;
        self.taken = self.kept.clone();
        self.start();
    }

    fn step(&mut self) {
        match self.dice.below(10) {
            0..5 => self.append(),
            5 => {
                let restarted = self.dice.below(self.writers.len());
                self.writers[restarted] = Spool::on(options(self.root.path()), Arc::new(self.disk.clone()));
            }
            6 => self.drainer = None,
            7 => self.drain_all().unwrap_or_else(|error| assert!(self.disk.is_cut(), "{error}")),
            _ => self.drain().unwrap_or_else(|error| assert!(self.disk.is_cut(), "{error}")),
        }
    }

    fn append(&mut self) {
        let count = 1 + self.dice.below(3) as u64;
        let numbers: Vec<u64> = (self.next..self.next + count).collect();
        self.next += count;
        let record = vec![b'x'; [10, 100, 700, 3000][self.dice.below(4)]];
        let (synced, writer) = (self.dice.chance(600), self.dice.below(self.writers.len()));
        let entries = numbers.iter().map(|number| Entry { session: &[1; 16], number: *number, record: &record });
        match self.writers[writer].append(entries, synced) {
            Ok(()) if synced => self.promised.extend(numbers),
            Ok(()) => {}
            Err(error) => assert!(self.disk.is_cut(), "{error}"),
        }
    }

    /// What the daemon does: a file goes once all of it is synced elsewhere.
    fn drain(&mut self) -> std::result::Result<(), SpoolError> {
        let options = options(self.root.path());
        if !options.dir.exists() {
            return Ok(());
        }
        let (mut claim, file) = match self.drainer.take() {
            Some(drainer) => drainer,
            None => (Claim::take_on(&options, Arc::new(self.disk.clone()))?.expect("nobody else drains"), None),
        };
        let file = match file {
            None => claim.next_file()?,
            Some(file) if file.is_read() => {
                self.kept = self.taken.clone();
                file.finish()?;
                None
            }
            Some(mut file) => {
                self.taken.extend(file.slice(SLICE)?.iter().map(|event| event.number));
                Some(file)
            }
        };
        self.drainer = Some((claim, file));
        Ok(())
    }

    /// Until there is nothing left. Files made from then on get the numbers of those that are gone.
    fn drain_all(&mut self) -> std::result::Result<(), SpoolError> {
        loop {
            self.drain()?;
            let is_idle = self.drainer.as_ref().is_none_or(|(_, file)| file.is_none());
            if is_idle && events_wait(&options(self.root.path()).dir)? == Wait::Nothing {
                return Ok(());
            }
        }
    }

    /// All that is in the spool goes to the store, and nothing that was promised is missing.
    fn check(&mut self) {
        self.drain_all().unwrap();
        let missing: Vec<_> = self.promised.difference(&self.taken).collect();
        assert!(missing.is_empty(), "events that were synced are gone: {missing:?}");
    }
}

/// A history that ends at this call, goes on with what is left, and ends once more. How many calls there were.
fn history(seed: u64, cut_at: Option<u64>) -> u64 {
    let mut world = World::new(Dice::new(hash("spool", &[seed])));
    world.disk.cut_at(cut_at);
    for _ in 0..30 {
        world.step();
        if world.disk.is_cut() {
            break;
        }
    }
    let calls = world.disk.calls();
    if let Some(cut_at) = cut_at {
        world.dice = Dice::new(hash("cut", &[seed, cut_at]));
        world.lose_power();
        let again = 1 + world.dice.below(40) as u64;
        world.disk.cut_at(Some(again));
        for _ in 0..15 {
            world.step();
            if world.disk.is_cut() {
                break;
            }
        }
        world.lose_power();
    }
    world.check();
    calls
}

/// A disk that can't sync.
#[derive(Debug)]
struct Failing;

impl Disk for Failing {
    fn make(&self, how: &OpenOptions, path: &Path) -> Result<File> {
        System.make(how, path)
    }

    fn append(&self, file: &File, bytes: &[u8]) -> Result<()> {
        System.append(file, bytes)
    }

    fn cut(&self, file: &File, length: u64) -> Result<()> {
        System.cut(file, length)
    }

    fn sync(&self, _: &File) -> Result<()> {
        Err(Error::other("the disk is broken"))
    }

    fn sync_names(&self, directory: &Path) -> Result<()> {
        System.sync_names(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        System.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        System.remove(path)
    }
}

#[test]
fn what_could_not_be_synced_is_not_there() {
    let root = tempfile::tempdir().unwrap();
    let options = options(root.path());
    let entry = |number| [Entry { session: &[1; 16], number, record: b"one" }];
    let mut spool = Spool::on(options.clone(), Arc::new(Failing));
    spool.append(entry(1), false).unwrap();
    let error = spool.append(entry(2), true).unwrap_err().to_string();
    assert!(error.contains("the disk is broken"), "{error}");
    spool.append(entry(3), false).unwrap();
    let mut file = Claim::take(&options).unwrap().unwrap().next_file().unwrap().unwrap();
    let numbers: Vec<_> = file.slice(SLICE).unwrap().iter().map(|event| event.number).collect();
    assert_eq!(numbers, [1, 3], "whoever was told so may trigger it anew");
}

#[test]
fn what_is_synced_outlives_lost_power() {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let (seed, cut) = (setting("PROLETARIER_SEED"), setting("PROLETARIER_CUT"));
    for seed in seed.map_or(1..=12, |seed| seed..=seed) {
        let calls = history(seed, None);
        for at in (1..=calls).filter(|at| cut.is_none_or(|cut| cut == *at)) {
            std::panic::catch_unwind(|| history(seed, Some(at))).unwrap_or_else(|panic| {
                eprintln!("PROLETARIER_SEED={seed} PROLETARIER_CUT={at}");
                std::panic::resume_unwind(panic);
            });
        }
    }
}
