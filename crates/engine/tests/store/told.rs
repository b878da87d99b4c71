//! What is said of a damaged store: how much is lost, and why it is refused.

use crate::conforms::NOW;
use crate::damage::{change, frames, listed, names, open, poll, remove_indexes};
use bytes::Bytes;
use proletarier_core::backlog::Backlog;
use proletarier_core::delivery::Delivery;
use std::collections::BTreeSet;

#[test]
fn counts_are_right_where_they_can_be_known() {
    for (what, expected) in [("a frame", (1, 1, 0)), ("the last frame", (1, 1, 0)), ("the end", (0, 3, 0)), ("a file", (0, 4, 1))]
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (mut store, _) = open(path).unwrap();
        for number in 0..40 {
            let text = format!("id=<{number}>{}", "x".repeat(800));
            store.append(&mut vec![Delivery::first(Bytes::from(text)).into()], NOW);
        }
        poll(&mut store);
        drop(store);
        remove_indexes(path);
        let name = &names(path, ".journal")[2];
        let whole = std::fs::read(path.join(name)).unwrap();
        let frames = frames(&whole);
        let last = frames.len() - 1;
        assert_eq!(last, 4, "a start and four events");
        match what {
            "a frame" => change(path, name, |bytes| bytes[frames[2].at + 50] ^= 1),
            "the last frame" => change(path, name, |bytes| bytes[frames[last].at + 50] ^= 1),
            "the end" => change(path, name, |bytes| bytes[frames[2].at..].fill(0)),
            _ => std::fs::remove_file(path.join(name)).unwrap(),
        }
        let losses = open(path).unwrap().1;
        assert_eq!((losses.pieces, losses.entries, losses.missing.len()), expected, "{what}: {losses}");
        if what == "a frame" {
            assert_eq!(
                losses.to_string(),
                format!("1 damaged pieces ({} bytes, 1 entries) are set aside in {}", losses.bytes, losses.aside[0])
            );
            let aside = std::fs::read(path.join(&losses.aside[0])).unwrap();
            let mut piece = whole[frames[2].at..][..aside.len()].to_vec();
            piece[50] ^= 1;
            assert_eq!(aside, piece, "the piece as it was found");
        }
    }
}

#[test]
fn what_a_file_was_before_is_not_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (mut store, _) = open(path).unwrap();
    store.append(&mut vec![Delivery::first(Bytes::from("id=<1>")).into(), Delivery::first(Bytes::from("id=<2>")).into()], NOW);
    poll(&mut store);
    drop(store);
    let name = &names(path, ".journal")[0];
    // The power went when the last was not all on the disk, in a file that had been another segment.
    change(path, name, |bytes| {
        let last = frames(bytes).pop().unwrap();
        let end = last.at + 12 + last.body.len();
        bytes[end - 2..].fill(b'?');
    });
    let (mut store, losses) = open(path).unwrap();
    assert!(losses.pieces == 1 && losses.bytes < 64, "{losses}");
    assert_eq!(listed(&mut store), BTreeSet::from([1]));
}

#[test]
fn another_version_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (mut store, _) = open(path).unwrap();
    store.append(&mut vec![Delivery::first(Bytes::from("id=<1>")).into()], NOW);
    poll(&mut store);
    drop(store);
    let words = |file: &str, found: &str| {
        format!(
            "store: {file} is of version {found}, and this release reads version 1: run the release that wrote it, or set another store"
        )
    };
    let refused = || open(path).err().unwrap().to_string();
    let format = std::fs::read(path.join("format")).unwrap();
    std::fs::write(path.join("format"), "proletarier store 2 whatever that one has\n").unwrap();
    assert_eq!(refused(), words("format", "2"));
    std::fs::write(path.join("format"), format).unwrap();
    let name = &names(path, ".journal")[0];
    change(path, name, |bytes| {
        bytes[7] = 3;
        let checksum = crc32fast::hash(&bytes[..40]);
        bytes[40..44].copy_from_slice(&checksum.to_le_bytes());
    });
    assert_eq!(refused(), words(name, "3"));
    // With a checksum that is not its own it is no version but damage.
    change(path, name, |bytes| bytes[7] = 1);
    assert_eq!(listed(&mut open(path).unwrap().0), BTreeSet::from([1]));
}
