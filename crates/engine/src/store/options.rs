//! Defines the store's measures: what is kept in memory, and how large files are. Tests make them small, so that all of it happens in a short history.

/// The store's measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Syncs are done by a thread of their own.
    pub threaded: bool,
    /// The smallest segment, in bytes: a store that is hardly used takes little.
    pub smallest: u64,
    /// The largest segment, in bytes: a busy store, with large ones, rolls seldom.
    pub largest: u64,
    /// A segment with more parked ones than this keeps them in its index file.
    pub in_memory: usize,
    /// Bytes of records that the lines have in memory at most, but for a 64th of it, and one larger record, that each is assured of.
    pub front: usize,
    /// So many are due at most before they are fetched: what else is due stays where it is. Where there are queues, 256 times as many.
    pub due: usize,
    /// What may lie idle beside what is live, in bytes, before anything is moved.
    pub slack: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { threaded: true, smallest: 1 << 20, largest: 64 << 20, in_memory: 2048, front: 16 << 20, due: 4096, slack: 8 << 20 }
    }
}
