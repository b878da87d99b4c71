//! Opens a store: finds what is provably whole, sets aside what is not, and tells of it.

use super::Store;
use super::clocks::Clocks;
use super::disk::{Disk, DiskFile};
use super::files::Files;
use super::journal::Journal;
use super::letters::Letters;
use super::lines::Lines;
use super::options::Options;
use super::parked::ParkedOnes;
use super::salvage::{self, Losses};
use super::segment::{BEGIN, Begins, Header, VERSION, file_name, number_of};
use super::summary::{Damage, Summary, index_name, read_index, scan};
use super::syncer::Syncer;
use super::take_in::{settle_all, take_in};
use super::tidy::Tidying;
use crate::clock::mix;
use proletarier_core::backlog::Counts;
use proletarier_core::delivery::Unique;
use proletarier_core::lanes::Lanes;
use proletarier_core::queue::KeyHolder;
use proletarier_core::session::Sessions;
use proletarier_core::time::Now;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io::Result;
use std::path::PathBuf;
use std::sync::Arc;

const FORMAT: &str = "format";
/// Sequence numbers that are passed over at each opening: those that a power loss took may still be named somewhere, and must name nothing.
const JUMP: u64 = 1 << 24;

/// Why a store can't be had.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its directory.
    #[error("store: can't {what} the directory {}: {reason} (set store, or state_dir, to a directory of the daemon's user)", directory.display())]
    Directory {
        /// What was tried.
        what: String,
        /// Of what.
        directory: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Another daemon has it.
    #[error("store: another daemon has {} open: stop that one first, or set another store", directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// It was written by another version.
    #[error(
        "store: {file} is of version {found}, and this release reads version {VERSION}: run the release that wrote it, or set another store"
    )]
    Version {
        /// The file that says so.
        file: String,
        /// Its version.
        found: String,
    },
    /// The system.
    #[error("store: {0}")]
    Io(#[from] std::io::Error),
}

/// What was found in a store.
#[derive(Debug, Default)]
pub struct Found {
    /// Of which client numbers are known.
    pub sessions: Sessions,
    /// The unique keys that are held, and by which event.
    pub uniques: Vec<(Unique, String)>,
    /// The events that others of their keys wait for, once for each delivery that says so.
    pub keys: Vec<KeyHolder>,
    /// What is not whole.
    pub losses: Losses,
}

/// A segment that was found, and what is known of it.
pub(super) struct Read {
    pub number: u64,
    pub file: Arc<dyn DiskFile>,
    pub size: u64,
    pub header: Option<Header>,
    pub opening: u16,
    pub summary: Summary,
    pub indexed: bool,
}

/// Opens the store on a disk, or makes one. `threaded`: syncs are done by a thread of their own.
///
/// # Errors
/// When it can't be read or written, or is of another version.
pub fn open(disk: Arc<dyn Disk>, id: u64, now: Now, threaded: bool) -> std::result::Result<(Store, Found), StoreError> {
    open_with(disk, id, now, Options { threaded, ..Options::default() })
}

/// The same with other measures than the usual ones.
///
/// # Errors
/// See [`open`].
pub fn open_with(disk: Arc<dyn Disk>, id: u64, now: Now, options: Options) -> std::result::Result<(Store, Found), StoreError> {
    let clocks = Clocks::new(now);
    let mut losses = Losses::default();
    let id = read_format(&*disk, id, &mut losses)?;
    salvage::put_in_place(&*disk, &disk.list()?, &mut losses)?;
    let names = disk.list()?;
    let mut files = Files::new(Arc::clone(&disk), &options);
    let mut damages = Vec::new();
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    let mut reads = Vec::with_capacity(numbers.len());
    for number in &numbers {
        match read(&*disk, *number, &clocks, &mut damages)? {
            Some(read) => reads.push(read),
            None => salvage::set_file_aside(&*disk, &file_name(*number), &mut losses)?,
        }
    }
    losses.missing = keep_what_counts(&*disk, &mut reads, &mut damages)?;
    salvage::complete(&mut reads);
    salvage::keep_spares(&*disk, &names, &mut losses)?;
    for name in disk.list()?.iter().filter(|name| name.starts_with("spare-")) {
        let size = disk.open(name).and_then(|file| file.length()).unwrap_or(0);
        files.find_spare(name, size);
    }
    // One without a header may have no number to begin with: segments are found by their sequence numbers, which ascend.
    let mut end = 0;
    for summary in reads.iter_mut().map(|read| &mut read.summary) {
        if summary.count == 0 {
            summary.first = summary.first.max(end);
        }
        end = summary.first + u64::from(summary.count);
    }
    for name in names.iter().filter(|name| name.ends_with(".new")) {
        disk.remove(name)?;
    }
    for name in names.iter().filter(|name| name.ends_with(".index")) {
        let number = name.strip_suffix(".index").and_then(|number| u64::from_str_radix(number, 16).ok());
        if number.is_none_or(|number| reads.iter().all(|read| read.number != number)) {
            disk.remove(name)?;
        }
    }
    let before = number_openings(&mut reads, now);
    let header_of = |read: &Read| Header { number: read.number, first: read.summary.first, store: id, opening: read.opening };
    let file_of = |number| {
        let read = reads.iter().find(|read| read.number == number)?;
        Some((Arc::clone(&read.file), header_of(read)))
    };
    salvage::set_aside(&*disk, &damages, file_of, &mut losses)?;
    let mut found = Found::default();
    for read in &reads {
        for (session, fact) in &read.summary.facts.0 {
            let last = now.mono.0.saturating_sub(now.wall.0.saturating_sub(fact.last));
            found.sessions.restore(*session, &fact.runs, last);
        }
    }
    let opening = before % u16::MAX + 1;
    let next = reads.iter().map(|read| read.summary.first + u64::from(read.summary.count)).max().map_or(1, |next| next + JUMP);
    let mut segments = settle_all(&mut reads);
    let lost = salvage::lost(&reads, &losses.missing);
    losses.entries = lost.iter().map(|(_, count)| u64::from(*count)).sum();
    found.losses = losses;
    let mut store = Store {
        journal: Journal::new(Arc::clone(&disk), files, VecDeque::new(), next, id, opening),
        options,
        clocks,
        opening,
        lines: Lines::new(options.front),
        unsorted: VecDeque::new(),
        promoted: HashSet::new(),
        parked: ParkedOnes::new(options.in_memory),
        letters: Letters::default(),
        adopted: HashMap::new(),
        counts: Counts::default(),
        // That it is told of once, what is lost is settled with that.
        undone: lost.into_iter().flat_map(|(first, count)| first..first + u64::from(count)).collect(),
        outcomes: VecDeque::new(),
        events: VecDeque::new(),
        stuck: None,
        tickets: 0,
        told: 0,
        synced: 0,
        sync_to: 0,
        syncing: false,
        syncs: 0,
        syncs_ended: 0,
        reminded: false,
        at_reminder: 0,
        syncer: Syncer::start(Arc::clone(&disk), options.threaded)?,
        tidying: Tidying::default(),
        suspects: Vec::new(),
        news: Vec::new(),
        completions: VecDeque::new(),
        failed: None,
        now,
    };
    for (segment, read) in segments.iter_mut().zip(&mut reads) {
        take_in(&mut store, &*disk, segment, read, &mut found)?;
    }
    // What an opening before has written it may not have synced: a copy of it that comes again, to be synced, is known and not kept again.
    store.journal.unsynced = segments.iter().map(|segment| Arc::clone(&segment.file)).collect();
    store.journal.segments = segments;
    // What was torn at its end is not written to any more. Where there is no room for a segment of its own, that is looked for later.
    if store.roll(0)?.is_ok() && store.journal.write()? {
        // That there was this opening outlives lost power: none after it has its number, nor its segments' and its deliveries'.
        store.journal.segments.back().map_or(Ok(()), |last| last.file.sync())?;
        disk.sync_names()?;
    }
    store.begin_lines(Lanes::default());
    store.journal.files.prepare();
    Ok((store, found))
}

/// Reads the file that says what this directory is, or makes it. Its checksum tells one that is damaged from one of another version.
fn read_format(disk: &dyn Disk, id: u64, losses: &mut Losses) -> std::result::Result<u64, StoreError> {
    if disk.list()?.iter().any(|name| name == FORMAT) {
        let mut bytes = [0; 128];
        let read = disk.open(FORMAT)?.read(&mut bytes, 0)?;
        let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
        let words: Vec<_> = text.split_whitespace().collect();
        match words[..] {
            ["proletarier", "store", version, id, checksum]
                if checksum != format!("{:08x}", crc32fast::hash(format!("{version} {id}").as_bytes())) => {}
            ["proletarier", "store", version, ..] if version.parse::<u8>().is_ok_and(|version| version != VERSION) => {
                return Err(StoreError::Version { file: FORMAT.into(), found: version.to_owned() });
            }
            ["proletarier", "store", version, ref rest @ ..] if version.parse() == Ok(VERSION) => {
                return Ok(rest.first().and_then(|id| u64::from_str_radix(id, 16).ok()).unwrap_or(id));
            }
            _ => {}
        }
        // Each segment says its version as well.
        if !matches!(Header::read(&*disk.open(FORMAT)?)?, Begins::With(_)) {
            salvage::set_file_aside(disk, FORMAT, losses)?;
        }
        salvage::put_in_place(disk, &disk.list()?, losses)?;
    }
    let fields = format!("{VERSION} {id:016x}");
    let file = disk.create(FORMAT)?;
    file.write(format!("proletarier store {fields} {:08x}\n", crc32fast::hash(fields.as_bytes())).as_bytes(), 0)?;
    file.sync()?;
    Ok(id)
}

/// Reads a segment: its index file, where that is whole, else itself. None where there is nothing in it.
fn read(
    disk: &dyn Disk,
    number: u64,
    clocks: &Clocks,
    damages: &mut Vec<Damage>,
) -> std::result::Result<Option<Read>, StoreError> {
    let file = disk.open(&file_name(number))?;
    let size = file.length()?;
    let header = match Header::read(&*file)? {
        Begins::With(header) if header.number == number => Some(header),
        Begins::Version(version) => {
            return Err(StoreError::Version { file: file_name(number), found: version.to_string() });
        }
        // It was used for another segment before, and power was lost before this one was written.
        Begins::With(_) | Begins::Otherwise => None,
    };
    let opening = header.map_or(0, |header| header.opening);
    if header.is_none() {
        damages.push(Damage { segment: number, from: 0, to: BEGIN });
    }
    if let Some(index) = read_index(disk, number, &index_name(number))
        && index.summary.end <= size
        && header.is_none_or(|header| index.summary.first == header.first)
    {
        return Ok(Some(Read { number, file, size, header, opening, summary: index.summary, indexed: true }));
    }
    let first = header.map_or(0, |header| header.first);
    let mut found = Vec::new();
    let mut summary = scan(&*file, number, first, BEGIN, size, clocks, &mut found)?;
    if summary.end == BEGIN && found.is_empty() && header.is_none() {
        damages.pop();
        return Ok(None);
    }
    if header.is_none() {
        // Numbers before the first that is there are nobody's.
        summary.first = summary.present.iter().map(|(first, _)| *first).min().unwrap_or(0);
        summary.count =
            summary.present.iter().map(|(first, count)| first + u64::from(*count)).max().map_or(0, |end| end - summary.first)
                as u32;
    }
    damages.append(&mut found);
    Ok(Some(Read { number, file, size, header, opening, summary, indexed: false }))
}

/// Removes segments that were to go; gives those that should be there and are not.
fn keep_what_counts(disk: &dyn Disk, reads: &mut Vec<Read>, damages: &mut Vec<Damage>) -> Result<Vec<u64>> {
    let dropped: BTreeSet<u64> = reads.iter().flat_map(|read| read.summary.dropped.iter().copied()).collect();
    let latest = reads.iter().rev().find(|read| !read.summary.start.is_empty());
    let (known, newest) = latest.map_or((None, 0), |read| (Some(read.summary.start.clone()), read.number));
    let counts = |number: u64| {
        !dropped.contains(&number) && (number > newest || known.as_ref().is_none_or(|known| known.contains(&number)))
    };
    for read in reads.iter().filter(|read| !counts(read.number)) {
        disk.remove(&file_name(read.number))?;
        damages.retain(|damage| damage.segment != read.number);
    }
    reads.retain(|read| counts(read.number));
    let there: BTreeSet<u64> = reads.iter().map(|read| read.number).collect();
    // Where the newest does not say what there was, an older one does not know what went since.
    let is_known =
        reads.last().is_none_or(|last| damages.iter().all(|damage| damage.segment != last.number || last.number == newest));
    let expected = known.into_iter().flatten().filter(|_| is_known);
    Ok(expected.filter(|number| !dropped.contains(number) && !there.contains(number)).collect())
}

/// The openings that made these; the last of them. One without a header was made by one that nobody knows.
fn number_openings(reads: &mut [Read], now: Now) -> u16 {
    let unknown = reads.iter().all(|read| read.opening == 0) && !reads.is_empty();
    let mut last = if unknown { mix(now.wall.0) as u16 } else { 0 };
    for read in reads {
        if read.opening == 0 {
            read.opening = last % u16::MAX + 1;
        }
        last = read.opening;
    }
    last
}
