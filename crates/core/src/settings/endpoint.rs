//! Defines the addresses of sockets: unix sockets (`ipc:///path`) and TCP (`tcp://host:port`).

use super::curve::Curve;
use super::error::SettingError;
use super::reader::Field;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// The most bytes that a unix socket's path may have: Linux's `sun_path` has 108, one of them for the NUL.
pub const MAX_SOCKET_PATH: usize = 107;

/// Where a socket is bound or connected. `Display` writes it as ZeroMQ takes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A unix socket at this absolute path of at most [`MAX_SOCKET_PATH`] bytes.
    Ipc(PathBuf),
    /// TCP.
    Tcp {
        /// A host name, an IPv4 address, an IPv6 address in brackets; when bound also `*` or an interface's name.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

impl Endpoint {
    /// The path of a unix socket.
    pub fn socket_path(&self) -> Option<&Path> {
        match self {
            Self::Ipc(path) => Some(path),
            Self::Tcp { .. } => None,
        }
    }

    /// Whether only this machine can reach it: a unix socket, or TCP on the loopback by address or as `localhost`.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Ipc(_) => true,
            Self::Tcp { host, .. } => host == "localhost" || address(host).is_some_and(|ip| ip.to_canonical().is_loopback()),
        }
    }

    /// Whether the host is an IPv6 address, which a ZeroMQ socket must be told before (ZMQ_IPV6).
    pub fn is_ipv6(&self) -> bool {
        matches!(self, Self::Tcp { host, .. } if host.starts_with('['))
    }

    /// Where a process of the same machine connects to what is bound here: any address (`*`) becomes the loopback.
    pub fn reached_locally(&self) -> Self {
        match self {
            Self::Tcp { host, port } if is_any(host) => {
                let host = if host.starts_with('[') { "[::1]" } else { "127.0.0.1" };
                Self::Tcp { host: host.to_owned(), port: *port }
            }
            other => other.clone(),
        }
    }

    /// Refuses an endpoint that other machines reach where there are no keys.
    pub(super) fn guarded(self, key: &str, curve: Option<&Curve>, set: &'static str) -> Result<Self, SettingError> {
        if self.is_local() || curve.is_some() {
            return Ok(self);
        }
        Err(SettingError::Exposed { key: key.to_owned(), endpoint: self.to_string(), set })
    }

    /// The unix socket of this path, for the endpoint `key`; `set` is what to set where the path is too long.
    pub(super) fn at_path(path: PathBuf, key: &str, set: &str) -> Result<Self, SettingError> {
        let length = path.as_os_str().len();
        if length > MAX_SOCKET_PATH {
            return Err(SettingError::SocketPathTooLong {
                key: key.to_owned(),
                path: path.display().to_string(),
                length,
                set: set.to_owned(),
            });
        }
        Ok(Self::Ipc(path))
    }
}

/// What is to be done with an endpoint; some hosts are good for one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Bind,
    Connect,
}

impl Field<'_> {
    /// An endpoint.
    pub fn endpoint(self, purpose: Purpose) -> Result<Endpoint, SettingError> {
        let refused =
            self.refuse_plainly("an endpoint such as 'ipc:///absolute/path' or 'tcp://127.0.0.1:5555' (a port from 1 to 65535)");
        let text = self.value.as_str().filter(|text| !text.contains('\0'));
        if let Some(path) = text.and_then(|text| text.strip_prefix("ipc://")) {
            // ZeroMQ would also take a relative path (another place in each process), `*` and abstract sockets (`@name`), which
            // no directory's mode protects.
            if !path.starts_with('/') || path.ends_with('/') {
                return Err(refused);
            }
            return Endpoint::at_path(path.into(), &self.key, &self.key);
        }
        text.and_then(|text| text.strip_prefix("tcp://")).and_then(|rest| tcp(rest, purpose)).ok_or(refused)
    }
}

fn tcp(rest: &str, purpose: Purpose) -> Option<Endpoint> {
    let (host, port) = rest.rsplit_once(':')?;
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    if host.starts_with('[') {
        address(host)?;
    } else {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if host.is_empty() || !(host == "*" || host.bytes().all(named)) {
            return None;
        }
    }
    // Binding takes addresses and interfaces; ZeroMQ finds no device "localhost".
    let host = if purpose == Purpose::Bind && host == "localhost" { "127.0.0.1" } else { host };
    let endpoint = Endpoint::Tcp { host: host.to_owned(), port };
    Some(match purpose {
        Purpose::Bind => endpoint,
        // What a client takes from broker.bind may be any address.
        Purpose::Connect => endpoint.reached_locally(),
    })
}

fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

fn is_any(host: &str) -> bool {
    host == "*" || address(host).is_some_and(|ip| ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(text: &str, purpose: Purpose) -> Result<Endpoint, SettingError> {
        let value: Value = json!(text);
        Field { key: "broker.bind".to_owned(), value: &value, secret: false }.endpoint(purpose)
    }

    #[test]
    fn reads_and_writes() {
        for text in [
            "ipc:///run/p/events.sock",
            "tcp://127.0.0.1:5555",
            "tcp://10.0.0.1:1",
            "tcp://[::1]:65535",
            "tcp://queue.example.org:5555",
            "tcp://0.0.0.0:5555",
            "tcp://*:5555",
            "tcp://eth0:5555",
        ] {
            assert_eq!(read(text, Purpose::Bind).unwrap().to_string(), text);
        }
        let local = read("tcp://localhost:5555", Purpose::Bind).unwrap();
        assert_eq!(local.to_string(), "tcp://127.0.0.1:5555");
        let local = read("tcp://localhost:5555", Purpose::Connect).unwrap();
        assert_eq!(local.to_string(), "tcp://localhost:5555");
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "ipc://",
            "ipc://relative",
            "ipc://@abstract",
            "ipc://*",
            "ipc:///dir/",
            "ipc:///a\0b",
            "tcp://",
            "tcp://host",
            "tcp://:5555",
            "tcp://host:0",
            "tcp://host:*",
            "tcp://host:+5",
            "tcp://host:65536",
            "tcp://a;b:5555",
            "tcp://::1:5555",
            "tcp://[::1:5555",
            "inproc://x",
            "/run/p/events.sock",
        ] {
            assert!(read(text, Purpose::Bind).is_err(), "{text}");
            assert!(read(text, Purpose::Connect).is_err(), "{text}");
        }
    }

    #[test]
    fn knows_what_is_local() {
        for (text, local) in [
            ("ipc:///run/x", true),
            ("tcp://127.0.0.1:5", true),
            ("tcp://127.9.9.9:5", true),
            ("tcp://[::1]:5", true),
            ("tcp://[::ffff:127.0.0.1]:5", true),
            ("tcp://*:5", false),
            ("tcp://0.0.0.0:5", false),
            ("tcp://10.0.0.1:5", false),
            ("tcp://eth0:5", false),
            ("tcp://127.1:5", false),
        ] {
            assert_eq!(read(text, Purpose::Bind).unwrap().is_local(), local, "{text}");
        }
    }

    #[test]
    fn any_address_is_reached_by_the_loopback() {
        for (bound, reached) in [
            ("tcp://*:5", "tcp://127.0.0.1:5"),
            ("tcp://0.0.0.0:5", "tcp://127.0.0.1:5"),
            ("tcp://[::]:5", "tcp://[::1]:5"),
            ("tcp://10.0.0.1:5", "tcp://10.0.0.1:5"),
            ("ipc:///run/x", "ipc:///run/x"),
        ] {
            assert_eq!(read(bound, Purpose::Bind).unwrap().reached_locally().to_string(), reached);
            assert_eq!(read(bound, Purpose::Connect).unwrap().to_string(), reached);
        }
    }

    #[test]
    fn socket_paths_have_a_limit() {
        let path = format!("/{}", "a".repeat(106));
        assert!(read(&format!("ipc://{path}"), Purpose::Bind).is_ok());
        let error = read(&format!("ipc://{path}b"), Purpose::Bind).unwrap_err().to_string();
        assert!(error.contains("has 108 bytes, and 107"), "{error}");
        assert!(error.ends_with("set broker.bind to a shorter path"), "{error}");
    }
}
