//! Connections that are lost between workers, clients and the broker, which all live on.

use crate::support::{Flooding, Lab, Proxy, free_port, until_true};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const BOTH: [&str; 2] = ["one", "all"];

/// A lab whose workers come by the proxy to their broker, both on this machine.
fn by_proxy() -> (Lab, Proxy) {
    let port = free_port();
    let proxy = Proxy::new(port);
    let lab = Lab::strict().set("worker.bind", format!("tcp://127.0.0.1:{port}")).set("worker.connect", proxy.endpoint());
    (lab, proxy)
}

fn load(lab: &Lab, count: usize) -> Vec<Flooding> {
    let flood = |confirm| lab.flood(30.0, &json!({ "confirm": confirm, "name": "one", "count": count, "pause": 0.001 }));
    vec![flood("deferred"), flood("accepted")]
}

fn finish_all(clients: &mut [Flooding]) -> BTreeSet<String> {
    clients.iter_mut().flat_map(Flooding::finish_well).collect()
}

#[test]
fn workers_that_lose_their_connection_lose_and_double_nothing() {
    let (lab, proxy) = by_proxy();
    let mut daemon = lab.daemon();
    let mut clients = load(&lab, 1_000);
    let mut cuts = 0;
    for _ in 0..15 {
        let before = lab.handled().len();
        lab.wait_handled(before + 20);
        cuts += proxy.cut();
    }
    assert!(cuts >= 15, "{cuts}");
    let ids = finish_all(&mut clients);
    lab.wait_handled(2 * ids.len());
    lab.wait_idle();
    assert_eq!(ids.len(), 2_000);
    lab.assert_handled_once(&ids, &BOTH);
    lab.assert_never_doubled();
    daemon.stop();
}

#[test]
fn failures_that_were_reported_into_a_lost_connection_are_reported_again() {
    let (lab, proxy) = by_proxy();
    let mut daemon = lab.daemon();
    let mut ids = Vec::new();
    for n in 0..20 {
        let params = if n % 2 == 0 { json!({ "throw": "one", "sleep": 0.01 }) } else { json!({ "sleep": 0.01 }) };
        ids.push(lab.trigger("one", &params));
        if n % 3 == 0 {
            proxy.cut();
        }
    }
    lab.wait_handled(2 * ids.len());
    let status = lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    assert_eq!((&status["counters"]["retried"], &status["counters"]["deaths"]), (&json!(10), &json!(0)));
    daemon.stop();
}

#[test]
fn a_worker_whose_old_connection_the_broker_still_believes_in_gets_work_by_the_new_one() {
    let (lab, proxy) = by_proxy();
    let mut daemon = lab.daemon();
    let mut kept = Vec::new();
    for n in 0..3 {
        kept.push(proxy.cut_near());
        assert!(!kept[n].is_empty());
        let ids: Vec<_> = (0..20).map(|n| lab.trigger("one", &json!({ "n": n, "sleep": 0.01 }))).collect();
        until_true("all are handled", || {
            let found = lab.successes();
            ids.iter().all(|id| found.contains_key(&(id.clone(), "all".into())))
        });
    }
    lab.wait_idle();
    assert!(lab.successes().values().all(|count| *count == 1));
    lab.assert_never_doubled();
    daemon.stop();
}

#[test]
fn clients_that_lose_their_connection_send_again_and_nothing_is_doubled() {
    let port = free_port();
    let proxy = Proxy::new(port);
    let lab = Lab::strict().set("broker.bind", format!("tcp://127.0.0.1:{port}"));
    let mut daemon = lab.daemon();
    let flood = |confirm| {
        lab.flood_to(
            Some(&proxy.endpoint()),
            30.0,
            &json!({ "confirm": confirm, "name": "one", "count": 1_500, "pause": 0.0005 }),
        )
    };
    let mut clients = vec![flood("deferred"), flood("accepted")];
    let mut cuts = 0;
    for _ in 0..15 {
        let before = lab.handled().len();
        lab.wait_handled(before + 20);
        cuts += proxy.cut();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(cuts >= 15, "{cuts}");
    let ids = finish_all(&mut clients);
    assert_eq!(ids.len(), 3_000);
    lab.wait_handled(2 * ids.len());
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    daemon.stop();
}
