//! Finds connections that bootstrap opened: each child would share them, and they break in ways that are hard to find.

use nix::sys::socket::{SockaddrStorage, getpeername};
use std::os::fd::RawFd;

/// A connected socket that this process has open.
#[derive(Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its descriptor.
    pub descriptor: RawFd,
    /// The other end, as `address:port` or a path.
    pub peer: String,
}

/// Every connected socket from descriptor 3 on. Empty where the system does not tell.
#[must_use]
pub fn connections() -> Vec<Connection> {
    let directory = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let descriptors = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    descriptors
        .filter(|descriptor| *descriptor > 2)
        .filter_map(|descriptor| {
            let peer: SockaddrStorage = getpeername(descriptor).ok()?;
            Some(Connection { descriptor, peer: describe(&peer) })
        })
        .collect()
}

fn describe(peer: &SockaddrStorage) -> String {
    if let Some(unix) = peer.as_unix_addr() {
        return unix.path().map_or_else(|| "an unnamed unix socket".to_owned(), |path| path.display().to_string());
    }
    peer.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn an_open_connection_is_found_with_its_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let peer = listener.local_addr().unwrap().to_string();
        let found = connections();
        assert!(found.contains(&Connection { descriptor: stream.as_raw_fd(), peer }), "{found:?}");
        assert!(!found.iter().any(|connection| connection.descriptor == listener.as_raw_fd()));
    }
}
