//! Provides the operator's end of the control socket: one request, one answer, and why there is none.

use crate::ownership::user;
use crate::transport::{Sent, Source, Transport, tcp_key, wait};
use bytes::Bytes;
use nix::unistd::Uid;
use proletarier_core::settings::{BrokerSettings, Endpoint};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A broker that is being replaced has its socket back within so long; who asks meanwhile waits, where no daemon runs for nothing.
const REPLACED: Duration = Duration::from_secs(1);
/// Between two looks for the socket.
const LOOK: Duration = Duration::from_millis(20);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no daemon answers at {0}: is it running (proletarier run)?")]
    Absent(String),
    /// Somebody listens, and says nothing.
    #[error("no daemon answered at {endpoint} within {seconds} s: it is busy, or {endpoint} is another program's")]
    Silent {
        /// Where.
        endpoint: String,
        /// How long was waited.
        seconds: f64,
    },
    /// The socket is closed to this user.
    #[error("{user} may not use {}, which is {owner}'s: run this as {owner}, or set permissions.group to a group that both are in", path.display())]
    Denied {
        /// Who asks.
        user: String,
        /// The socket, or the directory that hides it.
        path: PathBuf,
        /// Whose it is.
        owner: String,
    },
    /// The endpoint is none, or the machine has no sockets left.
    #[error("can't connect to {endpoint}: {reason}")]
    Connect {
        /// Where to.
        endpoint: String,
        /// What the system said.
        reason: String,
    },
}

/// Sends a request, a JSON object, and waits for its answer, another.
///
/// # Errors
/// When nobody listens at `broker.control`, may not be asked by this user, or is silent for `timeout`.
pub fn ask(settings: &BrokerSettings, request: &[u8], timeout: Duration) -> Result<Bytes, ControlError> {
    let until = Instant::now() + timeout;
    let endpoint = settings.control.reached_locally();
    if let Some(path) = endpoint.socket_path() {
        await_listener(path, &endpoint, until.min(Instant::now() + REPLACED))?;
    }
    let key = tcp_key(&endpoint, settings.curve.as_ref().map(|curve| curve.public.as_str()));
    let endpoint = endpoint.to_string();
    let failed = |reason: String| ControlError::Connect { endpoint: endpoint.clone(), reason };
    let transport = Transport::new();
    let dealer = transport.connect_dealer(&endpoint, None, key).map_err(|error| failed(error.reason().to_owned()))?;
    if dealer.socket.send(request) != Sent::Yes {
        return Err(failed("the request can't be sent".to_owned()));
    }
    loop {
        if let Some(answer) = dealer.socket.receive_one() {
            return Ok(answer);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ControlError::Silent { endpoint, seconds: timeout.as_secs_f64() });
        }
        wait([Source::Socket(&dealer.socket)], Some(left));
    }
}

/// ZeroMQ would try for good, and never say why: so the socket is tried plainly first.
fn await_listener(path: &Path, endpoint: &Endpoint, until: Instant) -> Result<(), ControlError> {
    loop {
        match UnixStream::connect(path) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(denied(path)),
            Err(_) if Instant::now() < until => std::thread::sleep(LOOK),
            Err(_) => return Err(ControlError::Absent(endpoint.to_string())),
        }
    }
}

fn denied(socket: &Path) -> ControlError {
    // The first that can be looked at: what it hides can't be.
    let seen = socket.ancestors().find_map(|path| Some((path, path.metadata().ok()?)));
    let (path, owner) =
        seen.map_or((socket, "another user".to_owned()), |(path, about)| (path, user(Uid::from_raw(about.uid()))));
    ControlError::Denied { user: user(Uid::effective()), path: path.to_owned(), owner }
}
