//! Provides a disk that loses power: real files, and an account of what was synced, from which what is left is made.

use crate::dice::Dice;
use proletarier_engine::spool::{Disk, System};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Error, Result};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

const SECTOR: usize = 512;

/// A file's bytes, on the platter and since.
#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// What each sector was since the last sync, the oldest first.
    versions: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Its lengths since then.
    lengths: Vec<usize>,
}

/// A change of names that is not on the platter yet.
#[derive(Clone, Debug)]
enum Change {
    Give(PathBuf, usize),
    Move(PathBuf, PathBuf, usize),
    Take(PathBuf, usize),
}

impl Change {
    fn directory(&self) -> &Path {
        let (Self::Give(path, _) | Self::Move(path, ..) | Self::Take(path, _)) = self;
        path.parent().unwrap()
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Give(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Move(from, to, file) => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
            Self::Take(path, file) => {
                if names.get(path) == Some(file) {
                    names.remove(path);
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct Account {
    contents: Vec<Content>,
    /// Where a file's content is, by device and inode: numbers that come again.
    found: BTreeMap<(u64, u64), usize>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    changes: Vec<Change>,
    /// Directories whose names were synced since they were made.
    synced_directories: BTreeSet<PathBuf>,
    calls: u64,
    cut_at: Option<u64>,
}

/// The disk, below a directory that outlives all.
#[derive(Clone, Debug)]
pub struct Platter {
    root: PathBuf,
    account: Arc<Mutex<Account>>,
}

fn gone() -> Error {
    Error::other("the power is gone")
}

fn key(file: &File) -> (u64, u64) {
    let found = file.metadata().unwrap();
    (found.dev(), found.ino())
}

impl Platter {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), account: Arc::default() }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    /// How many calls changed or synced something.
    pub fn calls(&self) -> u64 {
        self.account().calls
    }

    /// The call of this number is the last: it fails, and all after it.
    pub fn cut_at(&self, call: Option<u64>) {
        self.account().cut_at = call;
    }

    pub fn is_cut(&self) -> bool {
        let account = self.account();
        account.cut_at.is_some_and(|at| account.calls >= at)
    }

    /// What is left once power is lost, below another directory: what was synced, and any part of the rest.
    pub fn after(&self, root: &Path, dice: &mut Dice) -> Self {
        let account = self.account();
        let mut names = account.synced_names.clone();
        let keep = [0, 200, 500, 800, 1000][dice.below(5)];
        // In the order in which they were made, or any of them.
        let prefix = dice.chance(300).then(|| dice.below(account.changes.len() + 1));
        for (at, change) in account.changes.iter().enumerate() {
            if prefix.map_or_else(|| dice.chance(keep), |prefix| at < prefix) {
                change.apply(&mut names);
            }
        }
        let left = Self::new(root);
        let mut made = left.account();
        let mut lost = BTreeSet::new();
        for (path, content) in names {
            let below = path.strip_prefix(&self.root).unwrap();
            let directories: Vec<_> =
                path.ancestors().skip(1).take_while(|directory| *directory != self.root).map(Path::to_owned).collect();
            for directory in directories {
                let is_kept = account.synced_directories.contains(directory.parent().unwrap());
                if !is_kept && !lost.contains(&directory) && !dice.chance(keep) {
                    lost.insert(directory);
                }
            }
            if lost.iter().any(|directory| path.starts_with(directory)) {
                continue;
            }
            let bytes = account.contents[content].after(&account.contents, dice);
            let path = root.join(below);
            DirBuilder::new().recursive(true).create(path.parent().unwrap()).unwrap();
            fs::write(&path, &bytes).unwrap();
            made.synced_directories.extend(path.ancestors().skip(1).map(Path::to_owned));
            made.contents.push(Content { synced: bytes.clone(), bytes, ..Content::default() });
            let file = made.contents.len() - 1;
            made.found.insert(key(&File::open(&path).unwrap()), file);
            made.names.insert(path, file);
        }
        made.synced_names = made.names.clone();
        drop(made);
        left
    }
}

impl Content {
    fn after(&self, others: &[Self], dice: &mut Dice) -> Vec<u8> {
        let keep = [0, 100, 500, 900, 1000][dice.below(5)];
        let length = self.lengths.get(dice.below(self.lengths.len() + 1)).copied().unwrap_or(self.synced.len());
        let mut bytes = self.synced.clone();
        let known = bytes.len().min(length);
        bytes.resize(length, 0);
        // Where nothing was written there are zeros, or what stood there before, such as another file's.
        if dice.chance(500) {
            let other = &others[dice.below(others.len())].bytes;
            let end = length.min(other.len());
            if known < end {
                bytes[known..end].copy_from_slice(&other[known..end]);
            }
        }
        for (sector, versions) in &self.versions {
            let start = sector * SECTOR;
            if dice.chance(keep) && start < bytes.len() {
                let version = &versions[dice.below(versions.len())];
                let end = (start + version.len()).min(bytes.len());
                bytes[start..end].copy_from_slice(&version[..end - start]);
            }
        }
        bytes
    }

    fn changed(&mut self, from: usize) {
        self.lengths.push(self.bytes.len());
        for sector in from / SECTOR..self.bytes.len().div_ceil(SECTOR) {
            let start = sector * SECTOR;
            let version = self.bytes[start..self.bytes.len().min(start + SECTOR)].to_vec();
            self.versions.entry(sector).or_default().push(version);
        }
    }
}

impl Account {
    /// Counts a call; whether it is the last one.
    fn is_last(&mut self) -> Result<bool> {
        self.calls += 1;
        match self.cut_at {
            Some(at) if self.calls > at => Err(gone()),
            at => Ok(at == Some(self.calls)),
        }
    }

    fn content(&mut self, file: &File) -> &mut Content {
        let found = self.found[&key(file)];
        &mut self.contents[found]
    }
}

fn unless_last<T>(last: bool, done: T) -> Result<T> {
    if last { Err(gone()) } else { Ok(done) }
}

impl Disk for Platter {
    fn make(&self, how: &OpenOptions, path: &Path) -> Result<File> {
        let mut account = self.account();
        let last = account.is_last()?;
        let file = System.make(how, path)?;
        account.contents.push(Content::default());
        let content = account.contents.len() - 1;
        account.found.insert(key(&file), content);
        account.names.insert(path.to_owned(), content);
        account.changes.push(Change::Give(path.to_owned(), content));
        unless_last(last, file)
    }

    fn append(&self, file: &File, bytes: &[u8]) -> Result<()> {
        let mut account = self.account();
        let last = account.is_last()?;
        // The last one may have written a part.
        let bytes = if last { &bytes[..bytes.len() / 2] } else { bytes };
        let before = file.metadata()?.len();
        System.append(file, bytes)?;
        let content = account.content(file);
        content.bytes.resize(before as usize, 0);
        content.bytes.extend_from_slice(bytes);
        content.changed(before as usize);
        unless_last(last, ())
    }

    fn cut(&self, file: &File, length: u64) -> Result<()> {
        let mut account = self.account();
        let last = account.is_last()?;
        System.cut(file, length)?;
        let content = account.content(file);
        content.bytes.resize(length as usize, 0);
        content.lengths.push(length as usize);
        unless_last(last, ())
    }

    fn sync(&self, file: &File) -> Result<()> {
        let mut account = self.account();
        let last = account.is_last()?;
        if !last {
            let content = account.content(file);
            assert_eq!(content.bytes.len() as u64, file.metadata()?.len(), "something was written past the disk");
            let bytes = std::mem::take(&mut content.bytes);
            *content = Content { synced: bytes.clone(), bytes, ..Content::default() };
        }
        unless_last(last, ())
    }

    fn sync_names(&self, directory: &Path) -> Result<()> {
        if !directory.starts_with(&self.root) {
            return Ok(());
        }
        let mut account = self.account();
        if account.is_last()? {
            return Err(gone());
        }
        account.synced_directories.insert(directory.to_owned());
        let (done, rest) = std::mem::take(&mut account.changes).into_iter().partition(|change| change.directory() == directory);
        account.changes = rest;
        let done: Vec<Change> = done;
        done.iter().for_each(|change| change.apply(&mut account.synced_names));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut account = self.account();
        let last = account.is_last()?;
        System.rename(from, to)?;
        let content = account.names.remove(from).unwrap();
        account.names.insert(to.to_owned(), content);
        account.changes.push(Change::Move(from.to_owned(), to.to_owned(), content));
        unless_last(last, ())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut account = self.account();
        let last = account.is_last()?;
        System.remove(path)?;
        let content = account.names.remove(path).unwrap();
        account.changes.push(Change::Take(path.to_owned(), content));
        unless_last(last, ())
    }
}
