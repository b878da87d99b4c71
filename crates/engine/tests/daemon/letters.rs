//! Dead letters by the control socket: listed, replayed, discarded, moved, removed, announced.

use crate::support::{Lab, until, until_true};
use serde_json::{Value, json};

/// A daemon whose listeners have one attempt.
fn lab() -> Lab {
    Lab::new().set("retry.max_attempts", 1)
}

/// Waits for so many dead letters; all of them.
#[track_caller]
fn letters(lab: &Lab, count: u64) -> Vec<Value> {
    until_true(&format!("{count} dead letters"), || lab.number("backlog.dead") == count);
    lab.told(&json!({ "command": "failed", "params": true, "limit": 1000 }))["letters"].as_array().unwrap().clone()
}

/// So many events that no listener takes, and that are dead at once.
fn unheard(lab: &Lab, count: usize) -> Vec<Value> {
    lab.flood(30.0, &json!({ "confirm": "deferred", "name": "nobody", "count": count })).finish_well();
    letters(lab, count as u64)
}

#[test]
fn a_letter_tells_what_failed_and_a_replay_runs_that_listener_once_more() {
    let lab = lab();
    let mut daemon = lab.daemon();
    let id = lab.trigger("five", &json!({ "throw": "c", "name": "Jürgen" }));
    let letter = letters(&lab, 1).remove(0);
    for (field, value) in [
        ("id", json!(id)),
        ("name", json!("five")),
        ("listeners", json!(["c"])),
        ("kind", json!("thrown")),
        ("error", json!("Exception: as asked")),
        ("params", json!({ "throw": "c", "name": "Jürgen" })),
    ] {
        assert_eq!(letter[field], value, "{letter}");
    }
    assert!(letter["at"].as_u64() > letter["triggered_at"].as_u64());
    assert_eq!(letter["attempts"].as_array().unwrap().len(), 1);
    // As often as it is asked for: the first attempt throws.
    let cursor = letter["cursor"].as_u64().unwrap();
    let answer = lab.told(&json!({ "command": "failed_replay", "cursors": [cursor, cursor, cursor - 1, 0, 999] }));
    assert_eq!(answer["done"], 1);
    let again = until("it died again", || letters(&lab, 1).pop().filter(|letter| letter["cursor"] != cursor));
    assert_eq!(again["attempts"].as_array().unwrap().len(), 2);
    assert!(again["attempts"][0]["replayed"].is_u64(), "{again}");
    assert_eq!(lab.handled().len(), 5, "no other listener ran again");
    let counters = &lab.status()["counters"];
    assert_eq!((&counters["replayed"], &counters["dead"]), (&json!(1), &json!(2)));
    daemon.stop();
}

#[test]
fn lists_come_in_pages_and_filters_tell_what_is_meant() {
    let lab = lab();
    let _daemon = lab.daemon();
    let all = unheard(&lab, 2_500);
    assert_eq!(all.len(), 1_000, "as many as one answer has");
    let (mut cursors, mut after) = (Vec::new(), json!(0));
    while !after.is_null() {
        let page = lab.told(&json!({ "command": "failed", "after": after, "limit": 700 }));
        cursors.extend(page["letters"].as_array().unwrap().iter().map(|letter| letter["cursor"].as_u64().unwrap()));
        after = page["next"].clone();
    }
    assert_eq!(cursors.len(), 2_500);
    assert!(cursors.is_sorted());
    let discard = |filter: Value| {
        let (mut done, mut after) = (0, json!(0));
        while !after.is_null() {
            let answer = lab.told(&json!({ "command": "failed_discard", "filter": filter, "after": after }));
            done += answer["done"].as_u64().unwrap();
            after = answer["next"].clone();
        }
        done
    };
    assert_eq!(discard(json!({ "name": "other.*" })), 0);
    assert_eq!(discard(json!({ "name": "no*", "text": "\"n\":2499}" })), 1);
    assert_eq!(discard(json!({ "kind": "no_listener" })), 2_499);
    assert_eq!(lab.number("backlog.dead"), 0);
}

#[test]
fn replaying_all_comes_to_an_end_where_all_die_again() {
    let lab = lab();
    let _daemon = lab.daemon();
    unheard(&lab, 1_500);
    let (mut done, mut after) = (0, json!(0));
    while !after.is_null() {
        // An empty list is PHP's empty map.
        let answer = lab.told(&json!({ "command": "failed_replay", "filter": [], "after": after }));
        done += answer["done"].as_u64().unwrap();
        after = answer["next"].clone();
        // Those that died again are there by now.
        until_true("they are dead again", || lab.number("backlog.dead") == 1_500);
        assert!(done <= 1_500, "{done}");
    }
    assert_eq!(done, 1_500);
    assert_eq!(lab.told(&json!({ "command": "failed_replay", "filter": {} }))["done"], 1_000, "the next replay takes them again");
}

#[test]
fn letters_move_from_one_daemon_to_another() {
    let (from, to) = (lab(), lab());
    let (_first, _second) = (from.daemon(), to.daemon());
    let id = from.trigger("five", &json!({ "throw": "c", "e": [], "price": 1.50 }));
    letters(&from, 1);
    let exported = from.told(&json!({ "command": "failed_export" }));
    let letter = &exported["letters"][0];
    assert_eq!((&letter["version"], &letter["listeners"], &letter["headers"]), (&json!(1), &json!(["c"]), &json!({})));
    assert_eq!(to.told(&json!({ "command": "failed_import", "letters": exported["letters"] }))["done"], 1);
    let arrived = letters(&to, 1).remove(0);
    assert_eq!((&arrived["id"], &arrived["params"]["price"]), (&json!(id), &json!(1.5)));
    assert_eq!(arrived["attempts"], letter["attempts"]);
    let mut bad = vec![letter.clone(), letter.clone()];
    bad[1]["version"] = json!(2);
    // PHP's empty map.
    bad[0]["headers"] = json!([]);
    let answer = to.told(&json!({ "command": "failed_import", "letters": bad }));
    assert_eq!(answer["error"], "letter 2: version 2: this broker takes version 1");
    bad[1] = json!({ "version": 1, "id": "x", "name": "one", "params": "no JSON", "triggered_at": 0 });
    assert_eq!(
        to.told(&json!({ "command": "failed_import", "letters": bad }))["error"],
        "letter 2: the params are not a JSON object or array"
    );
    assert_eq!(to.number("backlog.dead"), 1, "one bad letter, and none is taken");
    // In the other daemon its first attempt throws as well.
    to.told(&json!({ "command": "failed_replay", "filter": { "listener": "c" } }));
    until_true("it died there", || to.number("counters.dead") == 1);
}

#[test]
fn too_many_letters_go_and_too_old_ones() {
    // One worker, so that they die in their order.
    let many = lab().set("dead", json!({ "max": 10 })).set("worker.pool_size", 1);
    let daemon = many.daemon();
    many.flood(30.0, &json!({ "confirm": "deferred", "name": "nobody", "count": 500 })).finish_well();
    until_true("all died", || many.number("counters.dead") == 500);
    let left = letters(&many, 10);
    assert_eq!(left.last().unwrap()["params"]["n"], 499, "the oldest went");
    assert_eq!(many.number("counters.swept"), 490);
    daemon.wait_logged("dead letters were removed: they were older than dead.keep, or more than dead.max");
    let old = lab().set("dead", json!({ "keep": 1 }));
    let _daemon = old.daemon();
    old.trigger("nobody", &json!({}));
    until_true("it went", || old.number("counters.swept") == 1);
}

#[test]
fn a_death_is_announced_to_the_application() {
    let lab = lab();
    std::fs::write(lab.path("herald"), "").unwrap();
    let _daemon = lab.daemon();
    let id = lab.trigger("five", &json!({ "throw": "c" }));
    let killed = lab.trigger("one", &json!({ "kill": "one" }));
    let told = until("both deaths are announced", || {
        let told: Vec<_> = lab.handled().into_iter().filter(|run| run.listener == "herald").map(|run| run.params).collect();
        (told.len() == 2).then_some(told)
    });
    let of = |id: &str| told.iter().find(|params| params["id"] == id).unwrap();
    assert_eq!((&of(&id)["event"], &of(&id)["listener"], &of(&id)["kind"]), (&json!("five"), &json!("c"), &json!("thrown")));
    assert_eq!((&of(&id)["error"], &of(&id)["attempts"]), (&json!("Exception: as asked"), &json!(1)));
    assert_eq!((&of(&killed)["kind"], &of(&killed)["listener"]), (&json!("killed"), &json!("one")));
}

#[test]
fn what_is_no_request_is_answered_with_why() {
    let lab = Lab::new();
    let _daemon = lab.daemon();
    for (request, start) in [
        (json!({ "command": "fialed" }), "command \"fialed\" is unknown; did you mean failed? There are: status, failed,"),
        (json!({ "command": "failed", "limits": 5 }), "unknown field `limits`"),
        (json!({ "command": "failed", "filter": { "nmae": "x" } }), "unknown field `nmae`"),
        (json!({ "command": "failed_discard" }), "give either cursors or a filter"),
        (json!({ "command": "failed_replay", "cursors": [1], "filter": {} }), "give either cursors or a filter"),
        (json!({ "command": "waiting_cancel", "cursors": vec![1; 1_001] }), "1001 cursors: at most 1000"),
        (json!({ "command": "watch", "id": "a b" }), "\"a b\" is no event's id"),
        (json!(5), "invalid type"),
    ] {
        let answer = lab.told(&request);
        assert!(answer["error"].as_str().is_some_and(|error| error.starts_with(start)), "{request}: {answer}");
    }
}
