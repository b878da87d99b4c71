//! What comes in from outside: the original's wire, and what is no frame at all.

use crate::support::{Daemon, LONG, Lab, trigger, until_true};
use proletarier_core::frame::{Hello, Publish, Ready, Report, WorkerFrame};
use proletarier_core::listener::ListenerSpec;
use proletarier_core::record::Record;
use proletarier_engine::client::Confirm;
use serde_json::json;

/// As many as a mutation test has.
const FRAMES: usize = 10_000;

/// Numbers that are the same in each run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// A frame with something wrong in one to three places.
    fn mutate(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut frame = frame.to_vec();
        for _ in 0..=self.below(3) {
            let place = self.below(frame.len());
            match self.below(6) {
                0 => frame.truncate(place),
                1 => frame.extend((0..self.below(40)).map(|n| n as u8)),
                2 if !frame.is_empty() => frame[place] = self.next() as u8,
                3 if !frame.is_empty() => frame[place] ^= 1 << self.below(8),
                // Where a length may stand: a large one.
                4 if frame.len() > place + 4 => frame[place..place + 4].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]),
                _ => frame.insert(place.min(frame.len()), self.next() as u8),
            }
        }
        frame
    }
}

fn dealer(context: &zmq::Context, endpoint: &str, identity: Option<&str>) -> zmq::Socket {
    let socket = context.socket(zmq::DEALER).unwrap();
    socket.set_linger(2_000).unwrap();
    socket.set_sndtimeo(LONG.as_millis() as i32).unwrap();
    socket.set_rcvtimeo(LONG.as_millis() as i32).unwrap();
    if let Some(identity) = identity {
        socket.set_identity(identity.as_bytes()).unwrap();
    }
    socket.connect(endpoint).unwrap();
    socket
}

/// Sends mutations of `frames` to a new daemon, while another client triggers events: they are all handled, by the same processes.
fn bombard(lab: &Lab, socket: &zmq::Socket, frames: &[Vec<u8>], seed: u64) {
    bombard_daemon(lab, &lab.daemon(), socket, frames, seed);
}

fn bombard_daemon(lab: &Lab, daemon: &Daemon, socket: &zmq::Socket, frames: &[Vec<u8>], seed: u64) {
    let before: Vec<_> = daemon.processes().iter().map(|process| process.pid).collect();
    let client = lab.client();
    let mut random = Random(seed);
    let mut ids = Vec::new();
    for n in 0..FRAMES {
        let frame = random.mutate(&frames[n % frames.len()]);
        // Now and then in parts.
        if random.below(20) == 0 {
            socket.send(&frame[..frame.len() / 2], zmq::SNDMORE).unwrap();
            socket.send(&frame[frame.len() / 2..], 0).unwrap();
        } else {
            socket.send(frame, 0).unwrap();
        }
        while socket.get_socket_type() == Ok(zmq::DEALER) && socket.recv_bytes(zmq::DONTWAIT).is_ok() {}
        if n % 100 == 0 {
            ids.push(trigger(&client, Confirm::Accepted, "five", &json!({ "n": n })).unwrap());
        }
    }
    until_true("all of ours are handled", || {
        let found = lab.successes();
        ids.iter().all(|id| {
            ["a", "b", "c", "d", "e", "all"].iter().all(|listener| found.get(&(id.clone(), (*listener).into())) == Some(&1))
        })
    });
    assert!(lab.number("malformed") > FRAMES as u64 / 4, "{}", lab.status());
    let after: Vec<_> = daemon.processes().iter().map(|process| process.pid).collect();
    assert_eq!(before, after, "nobody had to be replaced");
    assert!(daemon.logged("what came could not be read, and is dropped").len() < 20, "the log is not flooded");
}

fn batch() -> Vec<u8> {
    let mut frame = Vec::new();
    Publish::begin(&mut frame);
    for (id, name) in [("first", "one"), ("second", "no-listener-has-this"), ("third", "five")] {
        let record = Record {
            id,
            name,
            triggered_at: 1,
            delay: Some(3_600_000_000),
            expires: Some(u64::MAX),
            key: Some("key"),
            params: b"{\"n\":1}",
            ..Record::default()
        };
        Publish::push(&mut frame, |out| record.encode(out));
    }
    Publish::seal(&mut frame, &[7; 16], 1, 3, true, false);
    frame
}

#[test]
fn mutated_batches_of_a_client_hurt_nobody_else() {
    let lab = Lab::new();
    let context = zmq::Context::new();
    let socket = dealer(&context, &lab.endpoint("events.sock"), None);
    bombard(&lab, &socket, &[batch()], 1);
}

fn encode(frame: &WorkerFrame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

fn listeners() -> Vec<ListenerSpec> {
    let all = [("a", "five"), ("b", "five"), ("c", "five"), ("d", "five"), ("e", "five"), ("one", "one"), ("all", "*")];
    let spec = |(id, event): (&str, &str)| ListenerSpec {
        id: id.into(),
        event: event.into(),
        retry: None,
        timeout: None,
        parallel: false,
    };
    all.map(spec).into()
}

fn worker_frames(remote: bool, epoch: u64) -> Vec<Vec<u8>> {
    let hello =
        Hello { epoch, slot: 7, incarnation: 1, generation: 1, pid: 1, remote, listeners: listeners(), ..Hello::default() };
    let report = Report { chunk: 1, finished: 1, closed: true, micros: 10, failures: Vec::new() };
    [
        WorkerFrame::Ready(Ready { hello, held: Vec::new() }),
        WorkerFrame::Report(report),
        WorkerFrame::Leaving,
        WorkerFrame::Heartbeat,
        WorkerFrame::Revoked { chunk: 1, limit: 0 },
    ]
    .iter()
    .map(encode)
    .collect()
}

#[test]
fn mutated_frames_of_a_stranger_at_the_workers_socket_hurt_nobody() {
    let lab = Lab::new();
    let context = zmq::Context::new();
    // An address as a worker's of this machine, in a slot that nobody has.
    let socket = dealer(&context, &lab.endpoint("workers.sock"), Some("W.7.1"));
    bombard(&lab, &socket, &worker_frames(false, 1), 2);
}

#[test]
fn mutated_frames_of_a_worker_that_is_known_hurt_no_other() {
    let lab = Lab::new();
    let context = zmq::Context::new();
    let socket = dealer(&context, &lab.endpoint("workers.sock"), Some("Wfar.7.1"));
    // It introduces itself as remote workers do, and wants nothing: so that none of the events is its own.
    let daemon = lab.daemon();
    let frames = worker_frames(true, lab.number("epoch"));
    socket.send(&frames[0], 0).unwrap();
    socket.send(&frames[2], 0).unwrap();
    until_true("it is known", || lab.number("workers") == 3);
    bombard_daemon(&lab, &daemon, &socket, &frames[1..], 3);
}

#[test]
fn mutated_control_requests_hurt_nobody() {
    let lab = Lab::new();
    let context = zmq::Context::new();
    let socket = dealer(&context, &lab.endpoint("control.sock"), None);
    let letter = json!({
        "version": 1, "id": "7", "name": "imported", "params": { "n": 1 }, "triggered_at": 1, "listeners": ["a"], "headers": { "a": "b" },
    });
    let frames = [
        json!({ "command": "status" }),
        json!({ "command": "failed", "after": 0, "limit": 10, "filter": { "kind": "thrown", "text": "x" }, "params": true }),
        json!({ "command": "failed_replay", "cursors": [1, 2] }),
        json!({ "command": "failed_discard", "filter": { "name": "never" }, "after": 1 }),
        json!({ "command": "failed_import", "letters": [letter] }),
        json!({ "command": "waiting", "filter": { "name": "never" } }),
        json!({ "command": "waiting_cancel", "filter": { "id": "never" } }),
        json!({ "command": "watch", "id": "mine" }),
        json!({ "command": "outcome", "id": "mine" }),
    ]
    .map(|request| request.to_string().into_bytes());
    bombard(&lab, &socket, &frames, 4);
}

fn push(context: &zmq::Context, endpoint: &str) -> zmq::Socket {
    let socket = context.socket(zmq::PUSH).unwrap();
    socket.set_linger(2_000).unwrap();
    socket.set_sndtimeo(LONG.as_millis() as i32).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

#[test]
fn mutated_frames_of_the_originals_client_hurt_nobody() {
    let lab = Lab::new();
    let pull = lab.endpoint("pull.sock");
    let lab = lab.set("broker.pull", pull.as_str());
    let context = zmq::Context::new();
    let frames = [&b"{\"name\":\"one\",\"params\":{\"n\":1}}"[..], b"{\"name\":\"two\",\"params\":null}"].map(<[u8]>::to_vec);
    bombard(&lab, &push(&context, &pull), &frames, 5);
}

#[test]
fn the_originals_wire_is_understood_and_garbage_before_it_changes_nothing() {
    let lab = Lab::strict();
    let pull = lab.endpoint("pull.sock");
    let lab = lab.set("broker.pull", pull.as_str()).set("broker.max_message_size", 4096);
    let mut daemon = lab.daemon();
    let context = zmq::Context::new();
    let socket = push(&context, &pull);
    let deep = "[".repeat(2_000);
    let refused = [
        "",
        "garbage",
        "{",
        "[]",
        "null",
        "{\"params\":{}}",
        "{\"name\":\"\"}",
        "{\"name\":\"0\"}",
        "{\"name\":\"*\"}",
        "{\"name\":1}",
        &deep,
    ];
    refused.iter().for_each(|frame| socket.send(*frame, 0).unwrap());
    socket.send("{\"name\":\"one\",", zmq::SNDMORE).unwrap();
    socket.send("\"params\":{}}", 0).unwrap();
    // One that is too large costs its sender the connection: another one goes on.
    push(&context, &pull).send(vec![b' '; 100_000], 0).unwrap();
    for n in 0..100 {
        socket.send(&format!("{{\"name\":\"one\",\"params\":{{\"n\":{n}}}}}"), 0).unwrap();
    }
    for params in ["null", "[]", "{}", " [ 1 ] "] {
        socket.send(&format!("{{\"params\":{params},\"name\":\"five\",\"more\":true}}"), 0).unwrap();
    }
    socket.send("{\"name\":\"five\"}", 0).unwrap();
    lab.wait_handled(200 + 5 * 6);
    let status = lab.wait_idle();
    assert_eq!(status["counters"]["accepted"], 105);
    assert_eq!(status["malformed"], refused.len() + 1, "{status}");
    let runs = lab.handled();
    let mut numbers: Vec<_> =
        runs.iter().filter(|run| run.listener == "one").map(|run| run.params["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    let mut params: Vec<_> = runs.iter().filter(|run| run.listener == "a").map(|run| run.params.to_string()).collect();
    params.sort();
    assert_eq!(params, ["[1]", "[]", "[]", "[]", "{}"]);
    daemon.stop();
}

#[test]
fn an_event_that_is_too_large_is_refused_and_its_batch_is_not() {
    let lab = Lab::new().set("broker.max_message_size", 4096);
    let mut daemon = lab.daemon();
    let client = lab.client();
    let ids: Vec<_> = (0..10).map(|n| trigger(&client, Confirm::Deferred, "one", &json!({ "n": n })).unwrap()).collect();
    let large = trigger(&client, Confirm::Accepted, "one", &json!({ "text": "x".repeat(10_000) }));
    assert!(large.unwrap_err().to_string().contains("at most 4096 are allowed"));
    lab.wait_handled(20);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &["one", "all"]);
    daemon.stop();
}

#[test]
fn control_requests_are_answered_to_both_kinds_of_socket() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    assert_eq!(lab.status()["pid"], daemon.broker().pid);
    let context = zmq::Context::new();
    let socket = dealer(&context, &lab.endpoint("control.sock"), None);
    socket.send("{\"command\":\"status\"}", 0).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&socket.recv_bytes(0).unwrap()).unwrap();
    assert_eq!(answer["workers"], 2);
    assert!(answer["epoch"].is_u64(), "{answer}");
    socket.send("{\"command\":\"no such\"}", 0).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&socket.recv_bytes(0).unwrap()).unwrap();
    assert!(answer["error"].as_str().unwrap().contains("no such"), "{answer}");
    daemon.stop();
}
