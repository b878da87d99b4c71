//! Defines what of a new generation's settings a running daemon takes over: what it has bound, locked and opened stays until it is started anew.

use super::Settings;

/// Settings of a new generation, with what only a start changes as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Renewed {
    /// What holds from now on.
    pub settings: Settings,
    /// The keys whose new values wait for a start.
    pub kept: Vec<&'static str>,
}

impl Settings {
    /// What holds after a reload that brings `new`; `self` is what the daemon was started with.
    ///
    /// # Errors
    /// The words, where `new` is for another store or another directory: that is another daemon.
    pub fn renewed(&self, mut new: Self) -> Result<Renewed, String> {
        if new.store != self.store {
            return Err(
                "store: a reload can't change where events are kept; stop the daemon, and start it with the new one".into()
            );
        }
        if new.runtime_dir != self.runtime_dir {
            let (old, new) = (self.runtime_dir.display(), new.runtime_dir.display());
            return Err(format!(
                "runtime_dir: a reload can't change it from {old} to {new}; stop the daemon, and start it with the new one"
            ));
        }
        let mut kept = Vec::new();
        let mut keep = |key, differs: bool| {
            if differs {
                kept.push(key);
            }
        };
        let (broker, worker) = (&self.broker, &self.worker);
        keep("broker.bind", new.broker.bind != broker.bind);
        keep("broker.pull", new.broker.pull != broker.pull);
        keep("broker.control", new.broker.control != broker.control);
        keep("broker.curve", new.broker.curve != broker.curve);
        keep("broker.max_message_size", new.broker.max_message_size != broker.max_message_size);
        keep("worker.bind", new.worker.bind != worker.bind);
        keep("client.spool", new.client.spool != self.client.spool);
        keep("permissions", new.permissions != self.permissions);
        keep("state_dir", new.state_dir != self.state_dir);
        // What follows a bound socket by default follows it here, too.
        if new.broker.bind != broker.bind || new.broker.curve != broker.curve {
            new.client.connect = self.client.connect.clone();
        }
        if new.worker.bind != worker.bind || new.broker.curve != broker.curve {
            new.worker.connect = worker.connect.clone();
        }
        new.client.spool = self.client.spool.clone();
        new.client.permissions = self.client.permissions.clone();
        new.client.max_message_size = new.client.max_message_size.min(broker.max_message_size);
        new.broker.bind = broker.bind.clone();
        new.broker.pull = broker.pull.clone();
        new.broker.control = broker.control.clone();
        new.broker.curve = broker.curve.clone();
        new.broker.max_message_size = broker.max_message_size;
        new.worker.bind = worker.bind.clone();
        new.permissions = self.permissions.clone();
        new.state_dir = self.state_dir.clone();
        Ok(Renewed { settings: new, kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn settings(change: impl FnOnce(&mut Value)) -> Settings {
        let mut raw = json!({ "state_dir": "/s", "broker": {}, "worker": {}, "retry": {}, "permissions": {}, "client": {} });
        change(&mut raw);
        Settings::read(&raw).unwrap()
    }

    #[test]
    fn what_workers_and_queue_go_by_is_new() {
        let new = settings(|raw| {
            raw["worker"] = json!({ "pool_size": 9, "grace": 3, "timeout": 1 });
            raw["retry"] = json!({ "max_attempts": 2 });
            raw["broker"] = json!({ "max_pending": 77 });
            raw["queues"] = json!({ "mail": { "events": ["mail.*"] } });
        });
        assert_eq!(settings(|_| {}).renewed(new.clone()), Ok(Renewed { settings: new, kept: vec![] }));
    }

    #[test]
    fn what_is_bound_stays_and_is_named() {
        let old = settings(|_| {});
        let new = settings(|raw| {
            raw["broker"] =
                json!({ "bind": "ipc:///e/a", "control": "ipc:///e/b", "pull": "ipc:///e/c", "max_message_size": 4096 });
            raw["worker"] = json!({ "bind": "ipc:///e/d", "pool_size": 3 });
            raw["permissions"] = json!({ "socket_mode": "0666" });
            raw["client"] = json!({ "spool": "/elsewhere" });
        });
        let renewed = old.renewed(new).unwrap();
        assert_eq!(
            renewed.kept,
            [
                "broker.bind",
                "broker.pull",
                "broker.control",
                "broker.max_message_size",
                "worker.bind",
                "client.spool",
                "permissions"
            ]
        );
        let mut expected = old;
        expected.worker.pool_size.min = 3;
        expected.worker.pool_size.max = 3;
        expected.client.max_message_size = 4096;
        assert_eq!(renewed.settings, expected);
    }

    #[test]
    fn another_store_or_directory_is_another_daemon() {
        let old = settings(|_| {});
        let error = old.renewed(settings(|raw| raw["store"] = "/other".into())).unwrap_err();
        assert!(error.starts_with("store: "), "{error}");
        let error = old.renewed(settings(|raw| raw["runtime_dir"] = "/other".into())).unwrap_err();
        assert!(error.starts_with("runtime_dir: a reload can't change it from /s/run to /other"), "{error}");
    }
}
