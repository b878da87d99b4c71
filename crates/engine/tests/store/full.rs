//! A disk that is full, over quota, read-only, or broken.

use crate::disk::{Call, Cut, Ram};
use bytes::Bytes;
use proletarier_core::backlog::{Append, Backlog, Completion, Counts, Replacement, Reserved, Settlement};
use proletarier_core::delivery::{Delivery, Due};
use proletarier_core::time::{Mono, Now, Wall};
use proletarier_engine::store::{Directory, Options, Store, open_with};
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const SMALL: u64 = 16 * 1024;

fn at(seconds: u64) -> Now {
    Now { mono: Mono(seconds * 1_000_000), wall: Wall(1_700_000_000_000_000 + seconds * 1_000_000), dice: 0 }
}

fn options() -> Options {
    Options { threaded: false, smallest: SMALL, largest: SMALL, slack: 0, ..Options::default() }
}

fn store(disk: &Ram) -> Store {
    open_with(Arc::new(disk.clone()), 7, at(1), options()).unwrap().0
}

fn event(number: usize) -> Append {
    Delivery::first(Bytes::from(format!("event {number:>6} {}", "x".repeat(500)))).into()
}

/// What the store has to tell, by and by.
#[derive(Default)]
struct Told {
    done: u64,
    synced: u64,
    fetched: Vec<Reserved>,
    failed: Option<String>,
}

impl Told {
    fn hear(&mut self, store: &mut Store) {
        while let Some(completion) = store.poll() {
            match completion {
                Completion::Done(ticket) => self.done = ticket,
                Completion::Synced(ticket) => self.synced = ticket,
                Completion::Fetched(fetched) => self.fetched.extend(fetched),
                Completion::Failed(error) => {
                    self.failed = Some(error.to_string());
                    return;
                }
            }
        }
    }

    /// Time passes: what there is to do is done, and what is in hand is settled.
    fn settle_all(&mut self, store: &mut Store, from: u64) -> usize {
        let mut settled = 0;
        for turn in 0..2_000 {
            store.promote(at(from + turn));
            store.fetch(10);
            self.hear(store);
            let mut outcomes: Vec<_> = self.fetched.drain(..).map(|reserved| (reserved.token, Settlement::Done)).collect();
            settled += outcomes.len();
            if !outcomes.is_empty() {
                store.settle(&mut outcomes, at(from + turn));
            }
            self.hear(store);
        }
        settled
    }
}

fn no_room(kind: ErrorKind) -> impl Fn(Call, &str) -> Option<Error> {
    move |call, _| matches!(call, Call::Reserve | Call::Create).then(|| kind.into())
}

#[test]
fn a_full_disk_refuses_events_has_room_for_outcomes_and_mends_itself() {
    for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
        let disk = Ram::default();
        let mut store = store(&disk);
        let mut told = Told::default();
        store.append(&mut (0..60).map(event).collect(), at(1));
        told.hear(&mut store);
        assert_eq!((told.done, store.refusal()), (1, None));
        disk.fail(no_room(kind));
        // More than there is room for.
        let late = store.append(&mut (60..160).map(event).collect(), at(2));
        told.hear(&mut store);
        assert!(store.refusal().is_some_and(|why| why == Error::from(kind).to_string()), "{:?}", store.refusal());
        assert_eq!(told.done, 1, "not all of it is kept");
        // Those that are kept are handled; that makes room, in files that are there, for the others.
        assert_eq!(told.settle_all(&mut store, 3), 160);
        assert!(told.done > late, "{}", told.done);
        assert_eq!(store.counts(), Counts::default());
        disk.heal();
        store.promote(at(5_000));
        assert_eq!(store.refusal(), None, "it looks again by itself");
        drop(store);
        assert_eq!(self::store(&disk).counts(), Counts::default(), "what is settled is settled");
    }
}

#[test]
fn outcomes_have_room_that_events_do_not_get() {
    let disk = Ram::default();
    let mut store = store(&disk);
    let mut told = Told::default();
    store.append(&mut (0..20).map(event).collect(), at(1));
    disk.fail(no_room(ErrorKind::StorageFull));
    store.append(&mut (20..200).map(event).collect(), at(2));
    store.fetch(5);
    told.hear(&mut store);
    let retry = |reserved: Reserved| {
        let next = Delivery { attempt: 2, ..reserved.delivery };
        (reserved.token, Settlement::Replace(vec![Replacement::Delivery(next)]))
    };
    store.settle(&mut told.fetched.drain(..).map(retry).collect(), at(3));
    told.hear(&mut store);
    // As it is on the disk now.
    let mut next = self::store(&disk.after(Cut::Kill, &mut crate::dice::Dice::new(1)));
    let waiting = next.waiting(0, 1_000).items;
    assert_eq!(waiting.iter().filter(|waiting| waiting.delivery.attempt == 2).count(), 5, "of {}", waiting.len());
}

#[test]
fn what_could_not_be_written_is_written_when_there_is_room_and_told_then() {
    for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem, ErrorKind::QuotaExceeded] {
        let disk = Ram::default();
        let mut store = store(&disk);
        let mut told = Told::default();
        disk.fail(move |call, _| matches!(call, Call::Write | Call::Create | Call::Reserve | Call::Rename).then(|| kind.into()));
        let ticket = store.append(&mut vec![event(1)], at(1));
        told.hear(&mut store);
        store.promote(at(2));
        assert!(told.done < ticket && store.refusal().is_some());
        assert!(told.failed.is_none(), "{:?}", told.failed);
        disk.heal();
        store.promote(at(3));
        told.hear(&mut store);
        assert_eq!((told.done, store.refusal()), (ticket, None));
        drop(store);
        let mut again = self::store(&disk);
        assert_eq!((again.counts().pending, again.waiting(0, 9).items[0].delivery.clone()), (1, event(1).delivery));
    }
}

#[test]
fn what_is_due_and_not_written_keeps_its_place() {
    let disk = Ram::default();
    let mut store = store(&disk);
    let mut told = Told::default();
    disk.fail(|call, _| (call == Call::Write).then(|| ErrorKind::StorageFull.into()));
    let due = Delivery { due: Some(Due::At(at(2).wall)), ..event(1).delivery };
    store.append(&mut vec![due.clone().into()], at(1));
    store.promote(at(3));
    store.fetch(1);
    told.hear(&mut store);
    assert!(told.fetched.is_empty());
    disk.heal();
    store.fetch(1);
    told.hear(&mut store);
    assert_eq!(told.fetched.iter().map(|reserved| &reserved.delivery).collect::<Vec<_>>(), [&due]);
}

#[test]
fn with_no_room_for_outcomes_nothing_more_is_given_out_until_there_is() {
    let disk = Ram::default();
    let mut store = store(&disk);
    let mut told = Told::default();
    store.append(&mut (0..100).map(event).collect(), at(1));
    store.fetch(50);
    told.hear(&mut store);
    disk.fail(no_room(ErrorKind::StorageFull));
    // Each is to be tried again: that needs as much room as the events have.
    let retry = |reserved: Reserved| (reserved.token, Settlement::Replace(vec![Replacement::Delivery(reserved.delivery)]));
    let ticket = store.settle(&mut told.fetched.drain(..).map(retry).collect(), at(2));
    told.hear(&mut store);
    assert!(told.done < ticket);
    store.fetch(10);
    told.hear(&mut store);
    assert!(told.fetched.is_empty());
    disk.heal();
    store.promote(at(9));
    told.hear(&mut store);
    assert!(told.done >= ticket);
    assert_eq!(told.settle_all(&mut store, 10), 100);
}

#[test]
fn what_nobody_can_mend_stops_it() {
    for (broken, while_syncing) in [(Call::Write, false), (Call::Sync, true)] {
        let disk = Ram::default();
        let mut store = store(&disk);
        let mut told = Told::default();
        disk.fail(move |call, _| (call == broken).then(|| Error::other("Input/output error")));
        let ticket = store.append(&mut vec![event(1)], at(1));
        store.sync();
        told.hear(&mut store);
        assert_eq!(told.failed.as_deref(), Some("the store failed: Input/output error"));
        assert!(told.synced < ticket && (while_syncing || told.done < ticket));
        disk.heal();
        assert!(matches!(store.poll(), Some(Completion::Failed(_))), "and it does not begin again");
        drop(store);
        // The next one starts from what is there.
        self::store(&disk.after(Cut::Kill, &mut crate::dice::Dice::new(1)));
    }
}

/// A real file system of some megabytes.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(directory.path()).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(directory));
        }
        eprintln!("skipped: no file system can be mounted here (it takes root)");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_real_file_system_is_filled_and_freed() {
    let Some(mount) = Mount::new() else { return };
    let open = |path: &Path| {
        let options = Options { threaded: false, ..Options::default() };
        open_with(Arc::new(Directory::new(path.join("store"), 0o600)), 7, at(1), options).unwrap().0
    };
    std::fs::create_dir(mount.0.path().join("store")).unwrap();
    let mut store = open(mount.0.path());
    let mut told = Told::default();
    store.append(&mut (0..500).map(event).collect(), at(1));
    told.hear(&mut store);
    // Somebody else takes all that is left.
    let hog = mount.0.path().join("hog");
    let filled = std::fs::write(&hog, vec![1; 16 << 20]).unwrap_err();
    assert_eq!(filled.kind(), ErrorKind::StorageFull);
    let mut appended = 500;
    for second in 2..100 {
        store.append(&mut (appended..appended + 100).map(event).collect(), at(second));
        appended += 100;
        told.hear(&mut store);
        if store.refusal().is_some() {
            break;
        }
    }
    let why = store.refusal().unwrap();
    assert!(why.contains("No space left on device"), "{why}");
    // A death in this state costs nothing of what was told to be kept.
    let kept = store.counts();
    drop(store);
    let mut store = open(mount.0.path());
    assert!(store.counts().pending <= kept.pending && store.counts().pending >= 500, "{:?} {kept:?}", store.counts());
    let waiting = store.counts().pending as usize;
    let mut told = Told::default();
    assert_eq!(told.settle_all(&mut store, 200), waiting, "outcomes have room");
    std::fs::remove_file(hog).unwrap();
    store.promote(at(5_000));
    assert_eq!(store.refusal(), None);
    let ticket = store.append(&mut vec![event(1)], at(5_001));
    told.hear(&mut store);
    assert_eq!(told.done, ticket);
}
