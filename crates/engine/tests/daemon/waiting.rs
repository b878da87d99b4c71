//! What waits, by the control socket: listed, cancelled, and followed to its end.

use crate::support::{Lab, Publisher, event, until, until_true};
use proletarier_core::record::Record;
use serde_json::{Value, json};

const HOUR: u64 = 3_600_000_000;

fn waiting(lab: &Lab, request: Value) -> Vec<Value> {
    let mut all = json!({ "command": "waiting" });
    all.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    lab.told(&all)["events"].as_array().unwrap().clone()
}

#[test]
fn what_waits_is_listed_where_it_is_and_cancelled_where_nobody_runs_it() {
    let lab = Lab::new().set("worker.pool_size", 1);
    let mut daemon = lab.daemon();
    let running = lab.trigger("one", &json!({ "sleep": 60 }));
    until_true("it runs", || waiting(&lab, json!({})).iter().any(|event| event["state"] == "running"));
    let mut publisher = Publisher::new(&lab);
    let mail = Record { params: b"{\"mail\":\"a@example.org\"}", ..event("mail", "five") };
    let delayed = Record { delay: Some(HOUR), expires: Some(u64::MAX), ..event("delayed", "five") };
    let dated = Record { at: Some(proletarier_engine::wall().0 + HOUR), ..event("dated", "one") };
    publisher.publish(&[event("1", "five"), event("2", "five"), event("3", "one"), mail, delayed, dated]);
    let all = waiting(&lab, json!({ "params": true }));
    let find = |id: &str| all.iter().find(|event| event["id"] == id).unwrap();
    assert_eq!(all.len(), 7);
    assert_eq!((&find(&running)["state"], &find(&running)["attempt"]), (&json!("running"), &json!(1)));
    assert_eq!((&find("mail")["state"], &find("mail")["due"]), (&json!("pending"), &Value::Null));
    assert_eq!((&find("delayed")["state"], &find("delayed")["expires"]), (&json!("delayed"), &json!(u64::MAX)));
    assert_eq!((&find("dated")["due"], &find("dated")["params"]), (&json!(dated.at), &json!({})));
    let due = find("delayed")["due"].as_u64().unwrap();
    assert!(due.abs_diff(delayed.triggered_at + HOUR) < 60_000_000, "{due}");
    assert_eq!(waiting(&lab, json!({ "filter": { "name": "f*" } })).len(), 4);
    assert_eq!(waiting(&lab, json!({ "filter": { "text": "a@example.org" } }))[0]["id"], "mail");
    // By params, by cursor, by name, all: what runs is counted and goes on.
    let cancel = |request: Value| {
        let answer = lab.told(&request);
        (answer["done"].as_u64().unwrap(), answer["running"].as_u64().unwrap())
    };
    assert_eq!(cancel(json!({ "command": "waiting_cancel", "filter": { "text": "a@example.org" } })), (1, 0));
    let cursor = find("dated")["cursor"].clone();
    assert_eq!(cancel(json!({ "command": "waiting_cancel", "cursors": [cursor, 999] })), (1, 0));
    assert_eq!(cancel(json!({ "command": "waiting_cancel", "cursors": [cursor] })), (0, 0), "it is gone");
    let (done, running) = cancel(json!({ "command": "waiting_cancel", "filter": {} }));
    assert_eq!(done + running, 5, "the worker may have one more in hand");
    assert!(running >= 1);
    let left = waiting(&lab, json!({}));
    assert!(left.len() as u64 == running && left.iter().all(|event| event["state"] == "running"), "{left:?}");
    assert_eq!(lab.number("counters.cancelled"), 7 - running);
    daemon.workers()[0].kill();
    daemon.stop();
}

#[test]
fn a_long_list_of_what_waits_comes_in_pages() {
    let lab = Lab::new();
    let _daemon = lab.daemon();
    let mut publisher = Publisher::new(&lab);
    let ids: Vec<_> = (0..2_300).map(|number| number.to_string()).collect();
    let records: Vec<_> = ids.iter().map(|id| Record { delay: Some(HOUR), ..event(id, "five") }).collect();
    assert!(publisher.publish(&records).exceptions.is_empty());
    let (mut found, mut after) = (Vec::new(), json!(0));
    while !after.is_null() {
        let page = lab.told(&json!({ "command": "waiting", "after": after, "limit": 450 }));
        found.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        after = page["next"].clone();
    }
    assert_eq!(found, ids);
    let answer = lab.told(&json!({ "command": "waiting_cancel", "filter": { "name": "five" } }));
    assert_eq!(answer["done"], 1_000, "as many as one request looks at");
    assert!(answer["next"].is_u64());
}

#[test]
fn who_waits_for_one_event_is_told_what_became_of_it() {
    let lab = Lab::new().set("retry", json!({ "max_attempts": 2, "delay": 0.01 }));
    let _daemon = lab.daemon();
    let mut publisher = Publisher::new(&lab);
    let outcome = |id: &str| lab.told(&json!({ "command": "outcome", "id": id }));
    for id in ["good", "again", "bad", "delayed"] {
        assert_eq!(outcome(id)["state"], "unknown");
        lab.told(&json!({ "command": "watch", "id": id }));
        assert_eq!(outcome(id)["state"], "waiting");
    }
    let again = Record { params: b"{\"throw\":\"b\"}", ..event("again", "five") };
    let bad = Record { params: b"{\"always\":\"b\"}", ..event("bad", "five") };
    let delayed = Record { delay: Some(HOUR), ..event("delayed", "five") };
    publisher.publish(&[event("good", "five"), again, bad, delayed]);
    let end = |id: &str| until("it came to its end", || Some(outcome(id)).filter(|outcome| outcome["state"] != "waiting"));
    assert_eq!((end("good"), end("again")), (json!({ "state": "handled" }), json!({ "state": "handled" })));
    assert_eq!(end("bad"), json!({ "state": "failed", "error": "b: Exception: as asked" }));
    lab.told(&json!({ "command": "waiting_cancel", "filter": { "id": "delayed" } }));
    assert_eq!(end("delayed")["state"], "cancelled");
}
