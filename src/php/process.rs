//! Provides what a forked process owes PHP: forgetting what is its parent's at the start, and what is its own at the end.
#![allow(unsafe_code)]

use super::{call, output};
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{ExecutorGlobals, try_catch};
use std::ffi::c_void;
use std::fs::File;
use std::io::Read;

// SAFETY: as in basic_functions.h and php_mt_rand.h (php_random.h) of PHP 8.1 to 8.5.
unsafe extern "C" {
    /// `php_basic_globals`, whose first field is the table of shutdown functions.
    static mut basic_globals: *mut c_void;
    fn php_call_shutdown_functions();
    fn php_mt_srand(seed: u32);
    fn php_combined_lcg() -> f64;
}

/// At the start of a worker: shutdown functions that the parent registered stay the parent's, output goes to the log, random numbers differ
/// from those of the siblings.
pub fn begin() {
    /// The combined generator can't be seeded, only moved on: by up to this many steps, some 3 ns each.
    const STEPS: u64 = 1 << 18;
    let entropy = entropy();
    // SAFETY: a process of one thread, at its start, before PHP code runs in it. The table of shutdown functions is leaked on purpose: destroying it
    // would run destructors of objects that the parent still uses (a connection would be closed for both).
    unsafe {
        (&raw mut basic_globals).write(std::ptr::null_mut());
        php_mt_srand((entropy >> 32) as u32);
        for _ in 0..entropy % STEPS {
            php_combined_lcg();
        }
    }
    output::capture();
}

/// Random bits of the system's: no fork shares them.
fn entropy() -> u64 {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    match read {
        Ok(()) => u64::from_le_bytes(bytes),
        // A system without it: time and process differ, if by little.
        Err(_) => (proletarier_engine::wall().0 ^ u64::from(std::process::id()) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15),
    }
}

/// At the end of a worker: runs the shutdown functions that were registered in this process, and ends its output buffers. Destructors do not run: many
/// objects are the parent's as well.
pub fn last_rites() {
    call::clear_pending();
    let _ = try_catch(|| {
        // SAFETY: PHP's own way to run them.
        unsafe { php_call_shutdown_functions() };
    });
    call::clear_pending();
    let _ = try_catch(output::end_buffers);
    call::clear_pending();
}

/// The status that exit() was called with last.
#[must_use]
pub fn exit_status() -> i32 {
    ExecutorGlobals::get().exit_status
}

/// Sets the title that `ps` shows, where this PHP can (the CLI, on most systems).
pub fn set_title(title: &str) {
    let (mut name, mut text) = (Zval::new(), Zval::new());
    if name.set_string("cli_set_process_title", false).is_ok() && text.set_string(title, false).is_ok() {
        // Where it can't, nobody is the worse for it.
        let _ = call::callable(&name, &mut [text]);
    }
}
