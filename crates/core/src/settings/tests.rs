//! The whole map: defaults, every key, and what is refused.

use super::*;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

fn read(value: Value) -> Result<Settings, SettingError> {
    Settings::read(&value)
}

fn refused(mut value: Value) -> String {
    let map = value.as_object_mut().unwrap();
    map.entry("state_dir").or_insert_with(|| json!("/srv/app/data"));
    match read(value) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with(error.key()), "{message}");
            message
        }
    }
}

#[test]
fn a_state_dir_is_enough() {
    let settings = read(json!({"state_dir": "/srv/app/data/proletarier/"})).unwrap();
    let run = "/srv/app/data/proletarier/run";
    assert_eq!(settings.state_dir.as_deref(), Some(Path::new("/srv/app/data/proletarier")));
    assert_eq!(settings.runtime_dir, Path::new(run));
    assert_eq!(settings.broker.bind.to_string(), format!("ipc://{run}/events.sock"));
    assert_eq!(settings.broker.control.to_string(), format!("ipc://{run}/control.sock"));
    assert_eq!(settings.broker.pull, None);
    assert_eq!(settings.broker.max_message_size, 1_048_576);
    assert_eq!(settings.broker.curve, None);
    assert_eq!(settings.broker.max_pending, MaxPending { events: 10_000_000, bytes: None });
    assert_eq!(settings.worker.bind.to_string(), format!("ipc://{run}/workers.sock"));
    assert_eq!(settings.worker.connect, settings.worker.bind);
    assert_eq!(settings.worker.pool_size, PoolSize { min: 5, max: 5 });
    assert_eq!(settings.worker.timeout, Some(Duration::from_secs(300)));
    assert_eq!(settings.worker.grace, Duration::from_secs(25));
    assert_eq!(settings.worker.max_events, None);
    assert_eq!(settings.worker.max_memory, Some(134_217_728));
    assert_eq!(settings.worker.memory_limit, MemoryLimit::WhereUnlimited(536_870_912));
    assert_eq!(settings.client.connect, settings.broker.bind);
    assert_eq!(settings.client.confirm, Confirm::Deferred);
    assert_eq!(settings.client.timeout, Duration::from_millis(250));
    assert_eq!(settings.client.spool, Spool::Directory("/srv/app/data/proletarier/spool".into()));
    assert_eq!(settings.client.max_message_size, 1_048_576);
    assert_eq!(settings.retry, RetryPolicy::default());
    assert_eq!(settings.dead.keep, Some(Duration::from_secs(7_776_000)));
    let hygiene = HygieneSettings { database: true, doctrine: true, cycles: true, gone_away: false };
    assert_eq!(settings.hygiene, hygiene);
    assert_eq!(settings.log.level, Level::Info);
    assert_eq!(settings.log.format, LogFormat::Auto);
    assert!(!settings.log.params);
    assert_eq!(settings.permissions.dir_mode, 0o700);
    assert_eq!(settings.permissions.socket_mode, 0o600);
    assert_eq!(settings.unhandled.action("any"), UnhandledAction::Keep);
    assert_eq!(settings.store, Store::Directory("/srv/app/data/proletarier/store".into()));
    assert_eq!(settings.runtime_files().lock(), Path::new(run).join("lock"));
    assert_eq!(settings.runtime_files().pid(), Path::new(run).join("pid"));
    assert_eq!(settings.runtime_files().scoreboard(), Path::new(run).join("scoreboard"));
}

#[test]
fn every_key_is_taken() {
    let settings = read(json!({
        "listeners": {"anything": [1]},
        "state_dir": "/srv/state",
        "runtime_dir": "/run/app",
        "client": {
            "connect": "ipc:///run/other/events.sock", "mock": true, "confirm": "accepted", "timeout": 1,
            "spool": "/srv/spool", "spool_max": "10M", "max_message_size": 4096,
        },
        "broker": {
            "bind": "tcp://127.0.0.1:5555", "pull": "tcp://127.0.0.1:5556", "control": "ipc:///run/app/c.sock",
            "max_message_size": "2M", "max_pending": 10, "curve": [],
        },
        "worker": {
            "pool_size": {"min": 2, "max": 8}, "bind": "tcp://127.0.0.1:5557", "connect": "tcp://localhost:5557",
            "max_events": 1000, "max_memory": false, "max_lifetime": 60, "memory_limit": "1G", "timeout": false, "grace": 5,
            "parallel": true,
        },
        "retry": {"max_attempts": 2, "delay": 1, "multiplier": 2, "max_delay": 10, "jitter": 0},
        "dead": {"keep": false, "max": 5},
        "hygiene": {"database": false, "doctrine": false, "cycles": false, "gone_away": true},
        "store": "nats://a, b:4222",
        "permissions": {"user": "www-data", "group": 33},
        "log": {"level": "debug", "format": "json", "params": true},
        "unhandled": {"*": "drop", "account.*": "keep", "account.seen": "drop"},
        "queues": {
            "mail": {"events": ["mail.*", "account.created"], "weight": 2, "concurrency": 3, "rate": 0.5},
            "rest": {"events": "*", "block": false},
        },
    }))
    .unwrap();
    assert_eq!(settings.client.connect.to_string(), "ipc:///run/other/events.sock");
    assert!(settings.client.mock);
    assert_eq!(settings.client.confirm, Confirm::Accepted);
    assert_eq!(settings.client.spool, Spool::Directory("/srv/spool".into()));
    assert_eq!(settings.client.spool_max, 10 << 20);
    assert_eq!(settings.client.max_message_size, 4096);
    assert_eq!(settings.broker.max_message_size, 2 << 20);
    assert_eq!(settings.broker.max_pending, MaxPending { events: 10, bytes: None });
    assert_eq!(settings.worker.pool_size, PoolSize { min: 2, max: 8 });
    assert_eq!(settings.worker.connect.to_string(), "tcp://localhost:5557");
    assert_eq!(settings.worker.max_events, Some(1000));
    assert_eq!(settings.worker.max_memory, None);
    assert_eq!(settings.worker.memory_limit, MemoryLimit::Bytes(1 << 30));
    assert_eq!(settings.worker.timeout, None);
    assert!(settings.worker.parallel);
    assert_eq!(settings.retry.max_attempts, 2);
    assert_eq!(settings.retry.multiplier, 2.0);
    assert_eq!(settings.dead, DeadSettings { keep: None, max: 5 });
    let hygiene = HygieneSettings { database: false, doctrine: false, cycles: false, gone_away: true };
    assert_eq!(settings.hygiene, hygiene);
    assert_eq!(settings.store, Store::Nats(vec!["a".to_owned(), "b:4222".to_owned()]));
    assert_eq!(settings.permissions.user, Some(Principal::Name("www-data".to_owned())));
    assert_eq!(settings.permissions.group, Some(Principal::Id(33)));
    assert_eq!(settings.permissions.dir_mode, 0o2770);
    assert_eq!(settings.permissions.socket_mode, 0o660);
    assert_eq!(settings.log.level, Level::Debug);
    assert_eq!(settings.unhandled.action("account.created"), UnhandledAction::Keep);
    assert_eq!(settings.unhandled.action("account.seen"), UnhandledAction::Drop);
    assert_eq!(settings.unhandled.action("order.created"), UnhandledAction::Drop);
    let queue = |name: &str| settings.queues.of_event(name).map(|queue| queue.name.as_str());
    assert_eq!(queue("mail.sent"), Some("mail"));
    assert_eq!(queue("account.created"), Some("mail"));
    assert_eq!(queue("account.seen"), Some("rest"));
    let blocks: Vec<_> = settings.queues.all().iter().map(|queue| (queue.name.as_str(), queue.block)).collect();
    assert_eq!(blocks, [("mail", true), ("rest", false)]);
}

#[test]
fn what_may_wait_is_events_or_bytes_or_both() {
    let most = |value| read(json!({"state_dir": "/s", "broker": {"max_pending": value}})).unwrap().broker.max_pending;
    assert_eq!(most(json!({"events": 5, "bytes": "2G"})), MaxPending { events: 5, bytes: Some(2 << 30) });
    assert_eq!(most(json!({"bytes": 1 << 20})).bytes, Some(1 << 20));
    let volatile = read(json!({"state_dir": "/s", "store": "memory:"})).unwrap();
    assert_eq!(volatile.broker.max_pending.events, 1_000_000);
}

#[test]
fn wrong_values_are_named() {
    for (value, start) in [
        (json!({"worker": {"pool_sise": 5}}), "worker.pool_sise: unknown key (its value: 5); did you mean worker.pool_size?"),
        (json!({"wroker": []}), "wroker: unknown key (its value: []); did you mean worker?"),
        (json!({"serializer": "php"}), "serializer: there is no serializer to choose, only JSON"),
        (json!({"broker": {"serializer": {"adapter": "x"}}}), "broker.serializer: there is no serializer"),
        (
            json!({"worker": {"pool_size": "5"}}),
            "worker.pool_size: \"5\" is not allowed: give an integer from 1 to 1024, or ['min'",
        ),
        (json!({"worker": {"pool_size": 0}}), "worker.pool_size: 0 is not allowed"),
        (json!({"worker": {"pool_size": [1, 2]}}), "worker.pool_size: [1,2] is not allowed"),
        (json!({"worker": {"pool_size": {"min": 3}}}), "worker.pool_size: {\"min\":3} is not allowed: give both"),
        (json!({"worker": {"pool_size": {"min": 3, "max": 2}}}), "worker.pool_size: "),
        (
            json!({"worker": {"pool_size": {"min": 3, "mex": 2}}}),
            "worker.pool_size.mex: unknown key (its value: 2); did you mean worker.pool_size.max?",
        ),
        (
            json!({"broker": {"max_pending": 0}}),
            "broker.max_pending: 0 is not allowed: give an integer from 1 to 1000000000, or ['events' =>, 'bytes' =>]",
        ),
        (json!({"broker": {"max_pending": {"bytes": 5}}}), "broker.max_pending.bytes: 5 is not allowed: give a number of bytes"),
        (
            json!({"broker": {"max_pending": {"event": 5}}}),
            "broker.max_pending.event: unknown key (its value: 5); did you mean broker.max_pending.events?",
        ),
        (json!({"worker": {"max_memory": "128"}}), "worker.max_memory: \"128\" is not allowed: give a number of bytes"),
        (json!({"worker": 5}), "worker: 5 is not allowed: give a map"),
        (
            json!({"client": {"confirm": "acepted"}}),
            "client.confirm: \"acepted\" is not allowed: give 'none', 'deferred', 'accepted', 'synced'; did you mean 'accepted'?",
        ),
        (json!({"client": {"timeout": 0}}), "client.timeout: 0 is not allowed: give seconds from 0.001 to 60"),
        (
            json!({"client": {"max_message_size": "2M"}}),
            "client.max_message_size: \"2M\" is not allowed: give a number of bytes from 1024 to 1048576",
        ),
        (json!({"client": {"spool": "relative"}}), "client.spool: \"relative\" is not allowed: give an absolute path"),
        (json!({"client": {"connect": "tcp://*"}}), "client.connect: \"tcp://*\" is not allowed"),
        (json!({"state_dir": "data"}), "state_dir: \"data\" is not allowed: give an absolute path"),
        (json!({"retry": {"jitter": 2}}), "retry.jitter: 2 is not allowed: give a number from 0 to 1"),
        (json!({"log": {"level": "warn"}}), "log.level: \"warn\" is not allowed"),
        (json!({"permissions": {"dir_mode": 700}}), "permissions.dir_mode: 700 is not allowed"),
        (json!({"permissions": {"dir_mode": "0777"}}), "permissions.dir_mode: \"0777\" is not allowed"),
        (json!({"permissions": {"user": "33"}}), "permissions.user: \"33\" is not allowed: give a name, or a number (this is"),
        (json!({"unhandled": "ignore"}), "unhandled: \"ignore\" is not allowed: give 'keep', 'drop'"),
        (
            json!({"unhandled": {"a.*": "dorp"}}),
            "unhandled.a.*: \"dorp\" is not allowed: give 'keep', 'drop'; did you mean 'drop'?",
        ),
        (json!({"unhandled": ["drop"]}), "unhandled: [\"drop\"] is not allowed"),
        (
            json!({"queues": {"mail": {"wieght": 1}}}),
            "queues.mail.wieght: unknown key (its value: 1); did you mean queues.mail.weight?",
        ),
        (json!({"queues": {"mail": {"events": ["a", 5]}}}), "queues.mail.events[1]: 5 is not allowed"),
        (json!({"queues": ["mail"]}), "queues: [\"mail\"] is not allowed"),
        (json!({"store": "redis://x"}), "store: \"redis://x\" is not allowed: give 'memory:', "),
        (json!({"store": "nats://"}), "store: \"nats://\" is not allowed"),
        (
            json!({"broker": {"pull": "ipc:///srv/app/data/run/events.sock"}}),
            "broker.pull: ipc:///srv/app/data/run/events.sock is not allowed: give another endpoint than broker.bind",
        ),
    ] {
        let message = refused(value);
        assert!(message.starts_with(start), "{message}\n{start}");
    }
    assert!(read(json!("x")).is_err());
    assert!(read(json!([5])).is_err());
}

#[test]
fn no_directory_is_said_to_be_missing() {
    for empty in [json!({}), json!([]), json!(null)] {
        let error = read(empty).unwrap_err().to_string();
        assert!(error.ends_with("set state_dir or runtime_dir, or this key"), "{error}");
    }
    let settings = read(json!({"runtime_dir": "/run/app"})).unwrap();
    assert_eq!(settings.client.spool, Spool::Off);
    let error = refused(json!({"state_dir": null, "runtime_dir": "/run/app", "client": {"spool": true}}));
    assert!(error.starts_with("client.spool: its directory is below state_dir"), "{error}");
}

#[test]
fn a_long_runtime_dir_is_refused_with_the_length() {
    let dir = format!("/{}", "d".repeat(95));
    let error = refused(json!({"runtime_dir": dir}));
    assert!(error.contains("has 108 bytes, and 107 are the most"), "{error}");
    assert!(error.ends_with("set runtime_dir to a shorter path"), "{error}");
    assert!(read(json!({"runtime_dir": format!("/{}", "d".repeat(93))})).is_ok());
}

#[test]
fn tcp_beyond_the_loopback_needs_keys() {
    let key = "k".repeat(40);
    for section in ["broker.bind", "broker.pull", "broker.control", "worker.bind", "worker.connect", "client.connect"] {
        let (outer, inner) = section.split_once('.').unwrap();
        let mut value = json!({});
        value[outer][inner] = json!("tcp://10.0.0.1:5555");
        let error = refused(value.clone());
        assert!(error.starts_with(&format!("{section}: tcp://10.0.0.1:5555 is beyond")), "{error}");
        assert!(error.contains("set broker.curve"), "{error}");
        value["state_dir"] = json!("/srv");
        value["broker"]["curve"] = json!({"public": key, "secret": key});
        let settings = read(value.clone()).unwrap();
        assert!(!format!("{settings:?}").contains(&format!("secret: Some(\"{key}")));
        value["broker"]["curve"] = json!({"public": key});
        assert_eq!(read(value).is_ok(), inner == "connect", "{section}");
    }
    let error = refused(json!({"broker": {"curve": {"public": "short", "secret": "hush"}}}));
    assert!(error.starts_with("broker.curve.public: (not shown) is not allowed"), "{error}");
    let error = refused(json!({"broker": {"curve": {"secret": key}}}));
    assert!(error.starts_with("broker.curve.public: "), "{error}");
}

#[test]
fn a_wildcard_is_reached_by_the_loopback() {
    let key = "k".repeat(40);
    let settings = read(json!({
        "runtime_dir": "/run/app",
        "broker": {"bind": "tcp://*:5555", "curve": {"public": key, "secret": key}},
        "worker": {"bind": "tcp://[::]:5556"},
    }))
    .unwrap();
    assert_eq!(settings.client.connect.to_string(), "tcp://127.0.0.1:5555");
    assert_eq!(settings.worker.connect.to_string(), "tcp://[::1]:5556");
    assert_eq!(settings.client.curve, settings.broker.curve);
}

#[test]
fn a_client_by_itself() {
    let client = ClientSettings::from_options(Some("tcp://127.0.0.1:5555"), &json!([])).unwrap();
    assert_eq!(client.connect.to_string(), "tcp://127.0.0.1:5555");
    assert_eq!(client.spool, Spool::Off);
    let client = ClientSettings::from_options(None, &json!({"state_dir": "/srv", "confirm": "none", "timeout": 2})).unwrap();
    assert_eq!(client.connect.to_string(), "ipc:///srv/run/events.sock");
    assert_eq!(client.confirm, Confirm::None);
    assert_eq!(client.spool, Spool::Directory("/srv/spool".into()));
    let client = ClientSettings::from_options(None, &json!({"runtime_dir": "/run/p", "max_message_size": "4M"})).unwrap();
    assert_eq!(client.connect.to_string(), "ipc:///run/p/events.sock");
    assert_eq!(client.max_message_size, 4 << 20);
    for (connect, options, start) in [
        (
            None,
            json!({}),
            "connect: its default, a socket in runtime_dir, can't be computed: set state_dir or runtime_dir, or connect",
        ),
        (Some("x"), json!({}), "connect: \"x\" is not allowed"),
        (Some("tcp://10.0.0.1:5"), json!({}), "connect: tcp://10.0.0.1:5 is beyond this machine's loopback"),
        (
            None,
            json!({"runtime_dir": "/r", "confrim": "none"}),
            "confrim: unknown key (its value: \"none\"); did you mean confirm?",
        ),
        (None, json!({"runtime_dir": "/r", "worker": []}), "worker: unknown key"),
    ] {
        let error = ClientSettings::from_options(connect, &options).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
    }
    let keys = json!({"curve": {"public": "k".repeat(40)}});
    assert!(ClientSettings::from_options(Some("tcp://10.0.0.1:5"), &keys).is_ok());
}

#[test]
fn words_and_levels_agree() {
    for (word, confirm) in Confirm::ALL {
        assert_eq!((confirm.word(), Confirm::from_word(word)), (word, Some(confirm)));
    }
    for (word, level) in Level::ALL {
        assert_eq!((level.word(), Level::from_word(word)), (word, Some(level)));
    }
    assert!(Level::Debug < Level::Emergency);
}
