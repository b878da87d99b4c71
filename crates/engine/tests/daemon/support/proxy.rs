//! Provides a TCP proxy whose connections can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A TCP proxy on the loopback. Its threads end with the test.
pub struct Proxy {
    port: u16,
    /// Both ends of each connection: whom it came from, where it leads.
    connections: Arc<Mutex<Vec<(TcpStream, TcpStream)>>>,
}

impl Proxy {
    /// One that leads to this port.
    pub fn new(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), connections: Arc::default() };
        let connections = Arc::clone(&proxy.connections);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Nobody there yet: the other side tries again.
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                copy(&near, &far);
                copy(&far, &near);
                connections.lock().unwrap().push((near, far));
            }
        });
        proxy
    }

    pub fn endpoint(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// Ends all connections there are; how many.
    pub fn cut(&self) -> usize {
        let connections = std::mem::take(&mut *self.connections.lock().unwrap());
        for (near, far) in &connections {
            let _ = near.shutdown(Shutdown::Both);
            let _ = far.shutdown(Shutdown::Both);
        }
        connections.len()
    }

    /// Ends all connections towards those that made them; the other side is not told, as when a machine between them has gone. What is given must
    /// be kept, as dropping it tells.
    #[must_use]
    pub fn cut_near(&self) -> Vec<(TcpStream, TcpStream)> {
        let connections = std::mem::take(&mut *self.connections.lock().unwrap());
        for (near, _) in &connections {
            let _ = near.shutdown(Shutdown::Both);
        }
        connections
    }
}

/// A port that is free just now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn copy(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    from.set_nodelay(true).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length) = from.read(&mut buffer) {
            if length == 0 || to.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    });
}
