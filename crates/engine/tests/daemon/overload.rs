//! Too much waits.

use crate::support::{Lab, Publisher, event, until_true};
use proletarier_core::frame::RejectCode;
use proletarier_core::record::Record;
use serde_json::json;

const HOUR: u64 = 3_600_000_000;

#[test]
fn what_is_too_much_is_refused_until_less_waits() {
    let lab = Lab::new().set("broker.max_pending", 10);
    let daemon = lab.daemon();
    let mut publisher = Publisher::new(&lab);
    let ids: Vec<_> = (0..12).map(|number| number.to_string()).collect();
    let delayed: Vec<_> = ids.iter().map(|id| Record { delay: Some(HOUR), ..event(id, "five") }).collect();
    let refused: Vec<_> = publisher.publish(&delayed).exceptions;
    assert_eq!(refused.iter().map(|exception| exception.code).collect::<Vec<_>>(), [RejectCode::Overloaded; 2]);
    assert!(refused[0].reason.contains("10 events, and broker.max_pending allows 10"), "{}", refused[0].reason);
    let told = daemon.wait_logged("events are refused: clients spool them, or are told");
    assert_eq!(told["reason"], json!(lab.status()["overload"]));
    let cancel = |id: &str| lab.told(&json!({ "command": "waiting_cancel", "filter": { "id": id } }))["done"].clone();
    assert_eq!((cancel("0"), cancel("1")), (json!(1), json!(1)));
    assert!(publisher.refused(&event("a", "one")).is_some(), "8 of 10 is not below the low-water mark");
    assert_eq!(cancel("2"), json!(1));
    assert_eq!((publisher.refused(&event("b", "one")), lab.status()["overload"].clone()), (None, json!(null)));
    lab.wait_handled(2);
}

#[test]
fn who_cannot_be_refused_waits_and_loses_nothing() {
    let lab = Lab::new().set("broker.max_pending", json!({ "events": 3 })).set("worker.pool_size", 1);
    let endpoint = lab.endpoint("pull.sock");
    let lab = lab.set("broker.pull", endpoint);
    let daemon = lab.daemon();
    let context = zmq::Context::new();
    let socket = context.socket(zmq::PUSH).unwrap();
    socket.connect(&lab.endpoint("pull.sock")).unwrap();
    for n in 0..200 {
        let params = if n == 0 { json!({ "sleep": 0.5 }) } else { json!({ "n": n }) };
        socket.send(&json!({ "name": "one", "params": params }).to_string(), 0).unwrap();
    }
    until_true("it is overloaded", || !lab.status()["overload"].is_null());
    assert!(lab.number("backlog.pending") <= 3, "{}", lab.status());
    lab.wait_handled(400);
    let status = lab.wait_idle();
    assert_eq!((&status["counters"]["accepted"], &status["counters"]["rejected"]), (&json!(200), &json!(0)));
    daemon.wait_logged("events are refused, and those of broker.pull are left waiting at their senders");
}
