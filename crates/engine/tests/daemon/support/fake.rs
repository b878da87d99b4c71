//! Provides a broker that says what a test wants it to say.

use super::until_true;
use bytes::Bytes;
use proletarier_core::frame::{ClientFrame, Confirmation, Exception, RejectCode, Session, ToClient};
use proletarier_core::record::Record;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// An event that came: session, number, record.
pub type Came = (Session, u64, Bytes);
/// What is to be said against an event.
pub type Against = fn(&Record<'_>) -> Option<(RejectCode, String)>;

/// A broker that keeps nothing, and confirms what nothing is said against.
pub struct FakeBroker {
    came: Arc<Mutex<Vec<Came>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeBroker {
    pub fn start(endpoint: &str, against: Against) -> Self {
        let dir = std::path::Path::new(endpoint.trim_start_matches("ipc://")).parent().unwrap();
        std::fs::create_dir_all(dir).unwrap();
        let (came, stop) = (Arc::<Mutex<Vec<Came>>>::default(), Arc::<AtomicBool>::default());
        let socket = zmq::Context::new().socket(zmq::ROUTER).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(20).unwrap();
        socket.bind(endpoint).unwrap();
        let (in_thread, stopped) = (Arc::clone(&came), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Ok(parts) = socket.recv_multipart(0) else { continue };
                let Ok(ClientFrame::Publish(batch)) = ClientFrame::decode(&Bytes::copy_from_slice(&parts[1])) else { continue };
                let (session, first, count) = (batch.session, batch.first, batch.records.len() as u32);
                let mut exceptions = Vec::new();
                for (record, number) in batch.records.into_iter().zip(first..) {
                    let refused = against(&Record::decode(&record).unwrap());
                    exceptions.extend(refused.map(|(code, reason)| Exception { number, code, reason }));
                    in_thread.lock().unwrap().push((session, number, record));
                }
                let mut answer = Vec::new();
                ToClient::Confirm(Confirmation { session, first, count, exceptions }).encode(&mut answer);
                socket.send_multipart([&parts[0], &answer], 0).unwrap();
            }
        });
        Self { came, stop, thread: Some(thread) }
    }

    /// Names of the events that came, in order, once there are so many.
    #[track_caller]
    pub fn wait_names(&self, count: usize) -> Vec<String> {
        until_true("events come", || self.came.lock().unwrap().len() >= count);
        self.came().iter().map(|(_, _, record)| Record::decode(record).unwrap().name.to_owned()).collect()
    }

    pub fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

impl Drop for FakeBroker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}
