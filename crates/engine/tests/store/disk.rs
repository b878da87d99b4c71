//! Provides a disk in memory that knows what was synced: it can be cut off at any call, by a kill or by lost power, and fails as it is told to.

use crate::dice::Dice;
use proletarier_engine::store::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard};

pub const SECTOR: usize = 512;

/// How a cut ends things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The process dies: what was written is there.
    Kill,
    /// Power is lost: what was synced is there, and any part of the rest.
    Power,
}

/// What a call does, for those that are to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Read,
    Write,
    Reserve,
    Create,
    Rename,
    Remove,
    Sync,
    SyncNames,
}

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// What each sector was since the last sync, the oldest first.
    versions: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Its lengths since then.
    lengths: Vec<usize>,
}

#[derive(Clone)]
enum NameOp {
    Give(String, usize),
    Move(String, String, usize),
    Take(String, usize),
}

type Fault = Box<dyn Fn(Call, &str) -> Option<Error> + Send>;

#[derive(Default)]
struct Inner {
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    ops: Vec<NameOp>,
    files: Vec<File>,
    /// Calls that change something.
    calls: u64,
    cut_at: Option<u64>,
    fault: Option<Fault>,
}

/// The disk.
#[derive(Clone, Default)]
pub struct Ram(Arc<Mutex<Inner>>);

struct Handle {
    disk: Ram,
    file: usize,
    name: String,
}

fn gone() -> Error {
    Error::other("the disk is cut off")
}

impl Ram {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// How many calls changed something.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// The call of this number is the last: it fails, and all after it.
    pub fn cut_at(&self, call: Option<u64>) {
        self.inner().cut_at = call;
    }

    #[allow(dead_code, reason = "for tests of faults")]
    /// Calls that this has an error for fail.
    pub fn fail(&self, fault: impl Fn(Call, &str) -> Option<Error> + Send + 'static) {
        self.inner().fault = Some(Box::new(fault));
    }

    #[allow(dead_code, reason = "for tests of faults")]
    pub fn heal(&self) {
        self.inner().fault = None;
    }

    /// What is left after the end, as a disk of its own.
    pub fn after(&self, cut: Cut, dice: &mut Dice) -> Self {
        let inner = self.inner();
        let mut left = Inner { files: inner.files.clone(), ..Inner::default() };
        if cut == Cut::Kill {
            left.names = inner.names.clone();
            left.synced_names = inner.synced_names.clone();
            left.ops = inner.ops.clone();
            return Self(Arc::new(Mutex::new(left)));
        }
        let mut names = inner.synced_names.clone();
        let keep = [0, 200, 500, 800, 1000][dice.below(5)];
        let prefix = dice.chance(300).then(|| dice.below(inner.ops.len() + 1));
        for (at, op) in inner.ops.iter().enumerate() {
            if prefix.map_or_else(|| !dice.chance(keep), |prefix| at >= prefix) {
                continue;
            }
            match op {
                NameOp::Give(name, file) => {
                    names.insert(name.clone(), *file);
                }
                NameOp::Move(from, to, file) => {
                    if names.get(from) == Some(file) {
                        names.remove(from);
                    }
                    names.insert(to.clone(), *file);
                }
                NameOp::Take(name, file) => {
                    if names.get(name) == Some(file) {
                        names.remove(name);
                    }
                }
            }
        }
        let keep = [0, 100, 500, 900, 1000][dice.below(5)];
        // What a disk has where nothing was written: zeros, or what stood there before, such as another file's.
        let stale = dice.chance(500).then(|| dice.below(inner.files.len().max(1)));
        for file in &mut left.files {
            let length = if file.lengths.is_empty() {
                file.synced.len()
            } else {
                let place = dice.below(file.lengths.len() + 1);
                file.lengths.get(place).copied().unwrap_or(file.synced.len())
            };
            let mut bytes = file.synced.clone();
            let known = bytes.len();
            bytes.resize(length, 0);
            if let Some(stale) = stale
                && length > known
            {
                let other = &inner.files[stale].bytes;
                let end = length.min(other.len());
                if known < end {
                    bytes[known..end].copy_from_slice(&other[known..end]);
                }
            }
            for (sector, versions) in &file.versions {
                if !dice.chance(keep) {
                    continue;
                }
                let version = &versions[dice.below(versions.len())];
                let start = sector * SECTOR;
                if start < bytes.len() {
                    let end = (start + version.len()).min(bytes.len());
                    bytes[start..end].copy_from_slice(&version[..end - start]);
                }
            }
            *file = File { synced: bytes.clone(), bytes, ..File::default() };
        }
        left.synced_names = names.clone();
        left.names = names;
        Self(Arc::new(Mutex::new(left)))
    }
}

impl Inner {
    /// Counts a call that changes something; whether it is the last one.
    fn changes(&mut self, call: Call, name: &str) -> Result<bool> {
        self.asks(call, name)?;
        self.calls += 1;
        match self.cut_at {
            Some(at) if self.calls > at => Err(gone()),
            Some(at) if self.calls == at => Ok(true),
            _ => Ok(false),
        }
    }

    fn asks(&self, call: Call, name: &str) -> Result<()> {
        match self.fault.as_ref().and_then(|fault| fault(call, name)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn find(&self, name: &str) -> Result<usize> {
        self.names.get(name).copied().ok_or_else(|| Error::from(ErrorKind::NotFound))
    }
}

impl Disk for Ram {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.inner().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        let inner = self.inner();
        inner.asks(Call::Open, name)?;
        Ok(Arc::new(Handle { disk: self.clone(), file: inner.find(name)?, name: name.to_owned() }))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        let mut inner = self.inner();
        let last = inner.changes(Call::Create, name)?;
        let file = match inner.names.get(name).copied() {
            Some(file) => {
                inner.files[file].bytes.clear();
                inner.files[file].lengths.push(0);
                file
            }
            None => {
                inner.files.push(File::default());
                let file = inner.files.len() - 1;
                inner.names.insert(name.to_owned(), file);
                inner.ops.push(NameOp::Give(name.to_owned(), file));
                file
            }
        };
        if last { Err(gone()) } else { Ok(Arc::new(Handle { disk: self.clone(), file, name: name.to_owned() })) }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut inner = self.inner();
        let last = inner.changes(Call::Rename, from)?;
        let file = inner.find(from)?;
        inner.names.remove(from);
        inner.names.insert(to.to_owned(), file);
        inner.ops.push(NameOp::Move(from.to_owned(), to.to_owned(), file));
        if last { Err(gone()) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> Result<()> {
        let mut inner = self.inner();
        let last = inner.changes(Call::Remove, name)?;
        let file = inner.find(name)?;
        inner.names.remove(name);
        inner.ops.push(NameOp::Take(name.to_owned(), file));
        if last { Err(gone()) } else { Ok(()) }
    }

    fn sync_names(&self) -> Result<()> {
        let mut inner = self.inner();
        let last = inner.changes(Call::SyncNames, "")?;
        if last {
            return Err(gone());
        }
        inner.ops.clear();
        inner.synced_names = inner.names.clone();
        Ok(())
    }
}

impl DiskFile for Handle {
    fn read(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let inner = self.disk.inner();
        inner.asks(Call::Read, &self.name)?;
        let bytes = &inner.files[self.file].bytes;
        let start = (offset as usize).min(bytes.len());
        let count = into.len().min(bytes.len() - start);
        into[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut inner = self.disk.inner();
        let last = inner.changes(Call::Write, &self.name)?;
        let (start, mut end) = (offset as usize, offset as usize + bytes.len());
        if last && end > start {
            // A process that is killed may have written a part.
            end = start + (end - start) / 2 / SECTOR * SECTOR;
        }
        let file = &mut inner.files[self.file];
        if end > file.bytes.len() {
            file.bytes.resize(end, 0);
            file.lengths.push(end);
        }
        file.bytes[start..end].copy_from_slice(&bytes[..end - start]);
        for sector in start / SECTOR..end.div_ceil(SECTOR) {
            let from = sector * SECTOR;
            let version = file.bytes[from..file.bytes.len().min(from + SECTOR)].to_vec();
            file.versions.entry(sector).or_default().push(version);
        }
        if last { Err(gone()) } else { Ok(()) }
    }

    fn reserve(&self, length: u64) -> Result<()> {
        let mut inner = self.disk.inner();
        let last = inner.changes(Call::Reserve, &self.name)?;
        let file = &mut inner.files[self.file];
        if file.bytes.len() < length as usize {
            file.bytes.resize(length as usize, 0);
            file.lengths.push(length as usize);
        }
        if last { Err(gone()) } else { Ok(()) }
    }

    fn length(&self) -> Result<u64> {
        Ok(self.disk.inner().files[self.file].bytes.len() as u64)
    }

    fn sync(&self) -> Result<()> {
        let mut inner = self.disk.inner();
        let last = inner.changes(Call::Sync, &self.name)?;
        if last {
            return Err(gone());
        }
        let file = &mut inner.files[self.file];
        file.synced = file.bytes.clone();
        file.versions.clear();
        file.lengths.clear();
        Ok(())
    }
}
