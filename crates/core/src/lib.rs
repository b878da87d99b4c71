//! What happens to an event, and nothing else: no clock, randomness, files, sockets, threads or PHP. Times and jitter are arguments.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod backlog;
pub mod delivery;
pub mod failure;
pub mod frame;
pub mod histogram;
pub mod lanes;
pub mod lifecycle;
pub mod listener;
pub mod name;
pub mod nearest;
pub mod pattern;
pub mod queue;
pub mod record;
pub mod retry;
pub mod scaling;
pub mod session;
pub mod settings;
pub mod time;
