//! The PHP extension: classes, functions and the application that workers run. What happens to events is in `crates/`.
#![deny(unsafe_code)]

mod array_argument;
pub mod client;
pub mod confirm;
mod control;
mod entries;
pub mod event;
pub mod exceptions;
mod info;
pub mod interfaces;
mod json_value;
mod module;
pub mod php;
mod recycle;
mod request_end;
mod retry_after;
mod run;
mod settings;
mod shown;
mod spool;
mod trigger;
mod worker;
