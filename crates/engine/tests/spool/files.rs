//! Tests the spool's files: what is appended comes out, whatever was torn, flipped, left behind or done at the same time.

use proletarier_core::record::Record;
use proletarier_core::settings::{Permissions, Principal};
use proletarier_engine::spool::{
    Circuit, Claim, Entry, Spool, SpoolError, SpoolOptions, Spooled, Unreadable, Wait, count, discard, events_wait, list, size,
};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

const SLICE: usize = 4 * 1024;

fn options(dir: &Path) -> SpoolOptions {
    SpoolOptions { dir: dir.join("state/spool"), max: 64 << 20, permissions: Permissions::default() }
}

/// Appends one event of session `[1; 16]`; its record tells its number.
fn append(options: &SpoolOptions, number: u64) -> Result<(), SpoolError> {
    let record = format!("{{\"record\":{number}}}");
    Spool::new(options.clone()).append([Entry { session: &[1; 16], number, record: record.as_bytes() }], false)
}

fn events_file(options: &SpoolOptions) -> PathBuf {
    options.dir.join("events.spool")
}

/// All that is in the spool, which is empty then.
fn drain(options: &SpoolOptions) -> (Vec<Spooled>, Vec<Unreadable>) {
    let mut claim = Claim::take(options).unwrap().expect("nobody else drains");
    let (mut events, mut unreadable) = (Vec::new(), Vec::new());
    loop {
        let mut file = match claim.next_file() {
            Ok(Some(file)) => file,
            Ok(None) => break,
            // Writers are busy: a drainer comes again.
            Err(SpoolError::Locked(_)) => continue,
            Err(error) => panic!("{error}"),
        };
        while !file.is_read() {
            events.extend(file.slice(SLICE).unwrap());
        }
        unreadable.extend(file.finish().unwrap());
    }
    (events, unreadable)
}

fn numbers(events: &[Spooled]) -> Vec<u64> {
    events.iter().map(|event| event.number).collect()
}

#[test]
fn what_is_appended_comes_out_in_order_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    assert_eq!(events_wait(&options.dir).unwrap(), Wait::Nothing);
    let large = vec![b'x'; 3 * SLICE];
    let mut spool = Spool::new(options.clone());
    spool.append((1..=100).map(|number| Entry { session: &[1; 16], number, record: b"small" }), false).unwrap();
    spool.append([Entry { session: &[2; 16], number: u64::MAX, record: &large }], true).unwrap();
    spool.append((1..=100).map(|number| Entry { session: &[3; 16], number, record: b"" }), false).unwrap();
    assert_eq!(events_wait(&options.dir).unwrap(), Wait::Events);
    assert!(size(&options.dir) > 3 * SLICE as u64);
    let (events, unreadable) = drain(&options);
    assert_eq!(unreadable, []);
    let expected: Vec<u64> = (1..=100).chain([u64::MAX]).chain(1..=100).collect();
    assert_eq!(numbers(&events), expected);
    assert_eq!((&events[0].record[..], &events[100].record[..], &events[101].record[..]), (&b"small"[..], &large[..], &b""[..]));
    assert_eq!((events[99].session, events[101].session), ([1; 16], [3; 16]));
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_micros(events[0].spooled_at)).unwrap();
    assert!(age < Duration::from_secs(60));
    assert_eq!(events_wait(&options.dir).unwrap(), Wait::Nothing);
}

#[test]
fn many_append_while_one_drains_and_each_event_comes_out_once() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 500;
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let done = AtomicBool::new(false);
    let mut events = Vec::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let options = options.clone();
                scope.spawn(move || (0..EACH).for_each(|number| append(&options, writer * EACH + number).unwrap()))
            })
            .collect();
        let (options, done) = (options.clone(), &done);
        let drainer = scope.spawn(move || {
            let mut events = Vec::new();
            while !done.load(Ordering::Relaxed) {
                events.extend(drain(&options).0);
            }
            events.extend(drain(&options).0);
            events
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
        events = drainer.join().unwrap();
    });
    let found = numbers(&events);
    assert_eq!(found.len(), (WRITERS * EACH) as usize);
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>().len(), found.len());
    for writer in 0..WRITERS {
        let own: Vec<u64> = found.iter().copied().filter(|number| number / EACH == writer).collect();
        assert!(own.is_sorted(), "a writer's events stay in its order");
    }
}

#[test]
fn a_writer_killed_at_any_byte_costs_its_own_event_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    append(&options, 1).unwrap();
    let one = fs::metadata(events_file(&options)).unwrap().len();
    append(&options, 2).unwrap();
    let length = fs::metadata(events_file(&options)).unwrap().len();
    drain(&options);
    for cut in 1..length {
        append(&options, 1).unwrap();
        append(&options, 2).unwrap();
        let both = fs::read(events_file(&options)).unwrap();
        OpenOptions::new().write(true).open(events_file(&options)).unwrap().set_len(cut).unwrap();
        append(&options, 3).unwrap();
        let (events, unreadable) = drain(&options);
        assert_eq!(numbers(&events), if cut < one { vec![3] } else { vec![1, 3] }, "cut at {cut}");
        if cut < 16 {
            assert_eq!(unreadable, [], "a header that is not whole is written anew");
            continue;
        }
        let torn = if cut < one { cut - 16 } else { cut - one };
        assert_eq!(unreadable.iter().map(|unreadable| unreadable.bytes).sum::<u64>(), torn);
        if torn > 0 {
            let aside = fs::read(&unreadable[0].path).unwrap();
            let bytes = &both[(cut - torn) as usize..cut as usize];
            assert!(aside.windows(bytes.len()).any(|window| window == bytes), "nothing is dropped");
        }
    }
}

#[test]
fn a_flipped_bit_costs_one_event_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    (1..=3).for_each(|number| append(&options, number).unwrap());
    let whole = fs::read(events_file(&options)).unwrap();
    for bit in (0..whole.len() * 8).step_by(3) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(events_file(&options), &flipped).unwrap();
        let (events, unreadable) = drain(&options);
        let lost = if bit / 8 < 16 { 0 } else { 1 };
        assert_eq!(events.len(), 3 - lost, "bit {bit}");
        assert_eq!(unreadable.len(), 1, "bit {bit}");
        assert_eq!(unreadable[0].places, 1);
    }
}

#[test]
fn garbage_of_any_length_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    for length in [1, 3, 43, SLICE - 1, SLICE, 5 * SLICE + 7] {
        append(&options, 1).unwrap();
        // Full of what an event begins with.
        let garbage: Vec<u8> = [0xff, 0x50, 0xfe, 0x01].into_iter().cycle().take(length).collect();
        OpenOptions::new().append(true).open(events_file(&options)).unwrap().write_all(&garbage).unwrap();
        append(&options, 2).unwrap();
        let (events, unreadable) = drain(&options);
        assert_eq!(numbers(&events), [1, 2], "{length}");
        assert_eq!((unreadable[0].bytes, unreadable[0].places), (length as u64, 1));
        assert!(unreadable[0].to_string().contains("could not be read"), "{}", unreadable[0]);
    }
}

#[test]
fn what_a_dead_drainer_left_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    append(&options, 1).unwrap();
    let mut claim = Claim::take(&options).unwrap().unwrap();
    let file = claim.next_file().unwrap().unwrap();
    assert!(Claim::take(&options).unwrap().is_none(), "one drains at a time");
    append(&options, 2).unwrap();
    assert_eq!(events_wait(&options.dir).unwrap(), Wait::Events);
    drop((file, claim));
    assert_eq!(numbers(&drain(&options).0), [1, 2]);
}

#[test]
fn another_version_is_refused_and_left_and_hinders_no_other_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    append(&options, 1).unwrap();
    let mut bytes = fs::read(events_file(&options)).unwrap();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..12]).to_le_bytes();
    bytes[12..16].copy_from_slice(&crc);
    fs::write(events_file(&options), &bytes).unwrap();
    let error = append(&options, 2).unwrap_err().to_string();
    assert!(error.contains("has version 2, and this release knows version 1"), "{error}");
    let mut claim = Claim::take(&options).unwrap().unwrap();
    assert!(matches!(claim.next_file(), Err(SpoolError::Version { version: 2, .. })));
    append(&options, 2).unwrap();
    let mut file = claim.next_file().unwrap().unwrap();
    assert_eq!(numbers(&file.slice(SLICE).unwrap()), [2]);
    file.finish().unwrap();
    assert!(claim.next_file().unwrap().is_none());
    let left =
        fs::read_dir(&options.dir).unwrap().flatten().find(|file| file.file_name().to_string_lossy().starts_with("draining-"));
    assert_eq!(fs::read(left.unwrap().path()).unwrap(), bytes);
}

#[test]
fn a_full_spool_says_so_and_takes_no_part_of_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions { max: 2_000, ..options(dir.path()) };
    let added = (0..).find(|number| append(&options, *number).is_err()).unwrap();
    assert!(added > 20);
    let before = size(&options.dir);
    let mut spool = Spool::new(options.clone());
    let batch = (0..5).map(|number| Entry { session: &[4; 16], number, record: &[b'x'; 100] });
    let error = spool.append(batch, false).unwrap_err();
    assert!(matches!(error, SpoolError::Full { max: 2_000, .. }), "{error}");
    assert!(error.to_string().contains("client.spool_max"), "{error}");
    assert_eq!(size(&options.dir), before);
    // A file that is being drained counts until it is gone.
    let mut claim = Claim::take(&options).unwrap().unwrap();
    let file = claim.next_file().unwrap().unwrap();
    assert!(append(&options, added).is_err());
    file.finish().unwrap();
    append(&options, 1).unwrap();
}

#[test]
fn modes_are_as_set_whatever_the_umask() {
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let group = nix::unistd::getegid().as_raw();
    let permissions = Permissions { group: Some(Principal::Id(group)), dir_mode: 0o2770, ..Permissions::default() };
    let shared = SpoolOptions { permissions, ..options(&dir.path().join("shared")) };
    append(&shared, 1).unwrap();
    Circuit::new(shared.clone()).trip();
    assert_eq!((mode(&shared.dir), mode(shared.dir.parent().unwrap())), (0o2770, 0o2770));
    assert_eq!((mode(&events_file(&shared)), mode(&shared.dir.join("circuit"))), (0o660, 0o660));
    assert_eq!(fs::metadata(events_file(&shared)).unwrap().gid(), group);
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let own = options(&dir.path().join("own"));
    append(&own, 1).unwrap();
    assert_eq!((mode(&own.dir), mode(&events_file(&own))), (0o700, 0o600));
    nix::sys::stat::umask(before);
    let permissions = Permissions { group: Some(Principal::Name("no-such-group".into())), ..Permissions::default() };
    let nobody = SpoolOptions { permissions, ..options(&dir.path().join("nobody")) };
    let error = append(&nobody, 1).unwrap_err();
    assert!(error.is_denied() && error.to_string().contains("there is no group no-such-group"), "{error}");
}

#[test]
fn a_lock_that_is_never_given_back_stops_nobody_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    append(&options, 1).unwrap();
    let file = OpenOptions::new().read(true).open(events_file(&options)).unwrap();
    let lock = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusive).unwrap();
    assert!(matches!(append(&options, 2), Err(SpoolError::Locked(_))));
    drop(lock);
    append(&options, 2).unwrap();
}

/// All pages of a list; each is looked at before the next is asked for.
fn list_all(options: &SpoolOptions, limit: usize, id: Option<&str>, mut look: impl FnMut(usize)) -> Vec<u64> {
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = list(options, after, limit, id).unwrap();
        assert!(page.events.len() <= limit);
        found.extend(numbers(&page.events));
        look(pages);
        pages += 1;
        let Some(next) = page.next else { return found };
        after = Some(next.to_string().parse().unwrap());
    }
}

/// Appends one event that has an id, `e7` for the number 7.
fn append_event(options: &SpoolOptions, number: u64) {
    let id = format!("e{number}");
    let mut record = Vec::new();
    Record { id: &id, name: "one", params: b"{}", ..Record::default() }.encode(&mut record);
    Spool::new(options.clone()).append([Entry { session: &[1; 16], number, record: &record }], false).unwrap();
}

#[test]
fn a_list_has_all_pages_in_order_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    assert_eq!(list_all(&options, 10, None, |_| {}), [] as [u64; 0], "there is no directory yet");
    (1..=10).for_each(|number| append_event(&options, number));
    let mut claim = Claim::take(&options).unwrap().unwrap();
    let file = claim.next_file().unwrap().unwrap();
    OpenOptions::new().append(true).create(true).open(events_file(&options)).unwrap().write_all(b"damaged").unwrap();
    (11..=25).for_each(|number| append_event(&options, number));
    for limit in [1, 3, 10, 25, 100] {
        assert_eq!(list_all(&options, limit, None, |_| {}), (1..=25).collect::<Vec<_>>(), "{limit}");
    }
    assert_eq!(list_all(&options, 3, Some("e17"), |_| {}), [17]);
    assert_eq!(list_all(&options, 3, Some("e99"), |_| {}), [] as [u64; 0]);
    assert_eq!(count(&options).unwrap(), 25);
    // Drained in between: what is left follows.
    let mut file = Some(file);
    let found = list_all(&options, 4, None, |page| {
        if page == 1 {
            file.take().unwrap().finish().unwrap();
        }
    });
    assert_eq!(found, (1..=8).chain(11..=25).collect::<Vec<_>>());
    drop(claim);
    assert_eq!(numbers(&drain(&options).0), (11..=25).collect::<Vec<_>>());
}

#[test]
fn discarding_by_id_leaves_the_others_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    assert_eq!(discard(&options, None).unwrap().events, 0);
    (1..=5).for_each(|number| append_event(&options, number));
    let before = list(&options, None, 100, None).unwrap().events;
    OpenOptions::new().append(true).open(events_file(&options)).unwrap().write_all(b"damaged").unwrap();
    assert_eq!(discard(&options, Some("e9")).unwrap().events, 0);
    let discarded = discard(&options, Some("e3")).unwrap();
    assert_eq!((discarded.events, discarded.unreadable[0].bytes), (1, 7));
    append_event(&options, 6);
    assert_eq!(list_all(&options, 100, None, |_| {}), [1, 2, 4, 5, 6]);
    let after = list(&options, None, 100, None).unwrap().events;
    assert_eq!((&after[1], &after[2]), (&before[1], &before[3]));
    assert_eq!(discard(&options, None).unwrap().events, 5);
    assert_eq!(events_wait(&options.dir).unwrap(), Wait::Nothing);
    append_event(&options, 7);
    let _claim = Claim::take(&options).unwrap().unwrap();
    assert!(matches!(discard(&options, None), Err(SpoolError::Busy(_))), "while somebody drains");
}

#[test]
fn what_root_makes_where_another_is_at_home_is_that_ones() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not run: it needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(65_534), Some(65_534)).unwrap();
    let options = options(dir.path());
    append(&options, 1).unwrap();
    drop(Claim::take(&options).unwrap().unwrap());
    for path in [options.dir.parent().unwrap(), &options.dir, &events_file(&options), &options.dir.join("drain.lock")] {
        let found = fs::metadata(path).unwrap();
        assert_eq!((found.uid(), found.gid()), (65_534, 65_534), "{}", path.display());
    }
}

#[test]
fn what_is_no_file_hinders_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    append(&options, 1).unwrap();
    let pipe = options.dir.join("draining-00000000000000000001.spool");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", options.dir.join("draining-00000000000000000002.spool")).unwrap();
    let mut claim = Claim::take(&options).unwrap().unwrap();
    for _ in 0..2 {
        claim.next_file().unwrap_err();
    }
    let mut file = claim.next_file().unwrap().unwrap();
    assert_eq!(numbers(&file.slice(SLICE).unwrap()), [1]);
    file.finish().unwrap();
    assert!(claim.next_file().unwrap().is_none() && claim.has_passed_over());
}

#[test]
fn a_link_in_the_files_place_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    append(&options, 1).unwrap();
    fs::remove_file(events_file(&options)).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), events_file(&options)).unwrap();
    append(&options, 2).unwrap_err();
    assert!(!dir.path().join("elsewhere").exists());
}

#[test]
fn the_circuit_is_open_for_some_seconds_and_closed_by_whoever_finds_the_broker() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (Circuit::new(options(dir.path())), Circuit::new(options(dir.path())));
    assert!(!one.is_open());
    one.trip();
    assert!(other.is_open());
    let file = OpenOptions::new().write(true).open(dir.path().join("state/spool/circuit")).unwrap();
    for (age, open) in [(4, true), (6, false)] {
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        assert_eq!(other.is_open(), open, "{age} s");
    }
    file.set_modified(SystemTime::now() + Duration::from_secs(3600)).unwrap();
    assert!(!other.is_open(), "a clock that was set back keeps nobody from asking");
    one.trip();
    assert!(other.is_open() && other.is_tripped());
    other.close();
    assert!(!one.is_open() && !one.is_tripped());
}
