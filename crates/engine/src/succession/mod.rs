//! Provides what a reload stands on: the command line that the daemon was started with, executed anew beside the old code, and what the new
//! process is handed.
//!
//! ```text
//!  supervisor                                              new process
//!     fork, exec of the command line ──────────────────────> (the application's bootstrap)
//!     <──────────────────────── {"settings": ..., "role": ...} at the run call
//!     judges them ────────────────────────────────────────> one byte: go on. Or it is killed
//!                                                            zygote of the next generation; forks its first worker
//!     <───────────────────────── by the scoreboard: it is ready. Or {"error": ...}
//! ```
//!
//! It is the supervisor's child, so that its end is seen whatever it does; what it writes until the run call comes to the supervisor as well, which
//! passes it on and keeps the end of it for who asks why it failed.

mod boot;
mod command_line;
mod inheritance;
mod latest;
mod paper;

pub use boot::{Boot, Heard};
pub use command_line::{CommandLine, capture, captured};
pub use inheritance::{Claim, Inheritance, take};
pub use latest::{Latest, fit_pool, slots_for};
pub use paper::Paper;
