//! Tests whole daemons: real processes, sockets, files and kills, with the example `application` in place of a PHP one.
//!
//! `cargo test` builds the example; to run these alone: `cargo build -p proletarier-engine --example application && cargo test -p
//! proletarier-engine --test daemon`. They look at processes by /proc.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod apart;
mod boot;
mod connections;
mod draining;
mod failures;
mod identity;
mod init;
mod keys;
mod kills;
mod letters;
mod limits;
mod load;
mod overload;
mod pool;
mod queues;
mod reload;
mod renew;
mod service;
mod spooling;
mod stop;
mod store;
mod support;
mod survival;
mod trigger;
mod uniques;
mod waiting;
mod wire;
