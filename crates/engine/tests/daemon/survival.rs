//! What policies go by outlives the broker, in a store that does.

use crate::support::{Lab, Publisher, event, until, until_true};
use proletarier_core::frame::RejectCode;
use proletarier_core::record::Record;
use serde_json::{Value, json};

const HOUR: u64 = 3_600_000_000;

/// Kills the broker, and waits until another answers.
#[track_caller]
fn replace_broker(lab: &Lab, daemon: &crate::support::Daemon) {
    let before = lab.status()["pid"].clone();
    daemon.broker().kill();
    until_true("another broker answers", || {
        lab.ask(&json!({ "command": "status" })).is_some_and(|status| status["pid"] != before)
    });
}

fn list(lab: &Lab, command: &str, name: &str) -> Vec<Value> {
    lab.told(&json!({ "command": command }))[name].as_array().unwrap().clone()
}

#[test]
fn letters_and_their_cursors_are_the_same() {
    let lab = Lab::new().set("retry.max_attempts", 1);
    let daemon = lab.daemon();
    let ids: Vec<_> = ["a", "b", "c"].map(|listener| lab.trigger("five", &json!({ "throw": listener }))).into();
    until_true("three died", || lab.number("backlog.dead") == 3);
    let before = list(&lab, "failed", "letters");
    replace_broker(&lab, &daemon);
    assert_eq!(list(&lab, "failed", "letters"), before);
    // What is done to them is, too.
    let cursor = |id: &String| before.iter().find(|letter| letter["id"] == *id).unwrap()["cursor"].clone();
    assert_eq!(lab.told(&json!({ "command": "failed_discard", "cursors": [cursor(&ids[0])] }))["done"], 1);
    assert_eq!(lab.told(&json!({ "command": "failed_replay", "cursors": [cursor(&ids[1])] }))["done"], 1);
    replace_broker(&lab, &daemon);
    let again = until("the replayed one is dead again", || {
        let letters = list(&lab, "failed", "letters");
        letters.iter().find(|letter| letter["id"] == *ids[1] && letter["attempts"].as_array().unwrap().len() == 2).cloned()
    });
    assert!(again["attempts"][0]["replayed"].is_u64());
    let left: Vec<_> = list(&lab, "failed", "letters").iter().map(|letter| letter["id"].clone()).collect();
    assert_eq!(left, [json!(ids[2]), json!(ids[1])], "the discarded one is gone");
}

#[test]
fn a_letter_that_was_imported_stays() {
    let lab = Lab::new();
    let daemon = lab.daemon();
    let letter = json!({ "version": 1, "id": "moved", "name": "one", "params": {}, "triggered_at": 1, "listeners": ["one"] });
    assert_eq!(lab.told(&json!({ "command": "failed_import", "letters": [letter] }))["done"], 1);
    replace_broker(&lab, &daemon);
    assert_eq!(lab.told(&json!({ "command": "failed_replay", "filter": { "id": "moved" } }))["done"], 1);
    assert_eq!(lab.wait_handled(1)[0].event, "moved");
    assert_eq!(lab.wait_idle()["backlog"]["dead"], 0);
}

#[test]
fn keys_are_held_by_what_waits_and_by_what_runs() {
    let lab = Lab::new();
    let daemon = lab.daemon();
    let mut publisher = Publisher::new(&lab);
    let delayed = Record { unique: Some("delayed"), delay: Some(HOUR), ..event("waits", "one") };
    let slow = Record { unique: Some("slow"), params: b"{\"sleep\":2}", ..event("runs", "one") };
    assert_eq!((publisher.refused(&delayed), publisher.refused(&slow)), (None, None));
    until_true("it runs", || list(&lab, "waiting", "events").iter().any(|event| event["state"] == "running"));
    replace_broker(&lab, &daemon);
    let mut publisher = Publisher::new(&lab);
    let again = |id, key| Record { unique: Some(key), ..event(id, "one") };
    assert_eq!(publisher.refused(&again("2", "delayed")), Some((RejectCode::Unique, "waits".into())));
    assert_eq!(publisher.refused(&again("3", "slow")), Some((RejectCode::Unique, "runs".into())));
    until_true("the key of what ran is free", || publisher.refused(&again("4", "slow")).is_none());
    assert!(lab.handled().iter().any(|run| run.event == "runs" && run.listener == "one"));
    assert_eq!(lab.told(&json!({ "command": "waiting_cancel", "filter": { "id": "waits" } }))["done"], 1);
    replace_broker(&lab, &daemon);
    assert_eq!(Publisher::new(&lab).refused(&again("5", "delayed")), None, "what was cancelled stays so, and holds nothing");
}

#[test]
fn as_much_waits_as_before() {
    let lab = Lab::new().set("broker.max_pending", 5);
    let daemon = lab.daemon();
    let ids: Vec<_> = (0..5).map(|number| number.to_string()).collect();
    let records: Vec<_> = ids.iter().map(|id| Record { delay: Some(HOUR), ..event(id, "one") }).collect();
    assert!(Publisher::new(&lab).publish(&records).exceptions.is_empty());
    replace_broker(&lab, &daemon);
    let refused = Publisher::new(&lab).refused(&event("6", "one"));
    assert!(matches!(refused, Some((RejectCode::Overloaded, _))), "{refused:?}");
    assert_eq!(lab.told(&json!({ "command": "waiting_cancel", "filter": { "name": "one" } }))["done"], 5);
    assert_eq!(Publisher::new(&lab).refused(&event("7", "one")), None);
}
