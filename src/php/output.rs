//! Provides the capture of what listeners print: a worker has nobody to show it to, so it goes to the log.
#![allow(unsafe_code)]

use ext_php_rs::ffi::sapi_module;
use ext_php_rs::zend::try_catch;
use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};

/// Most bytes that are kept of one listener's output.
pub const MOST: usize = 16 * 1024;

#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
    dropped: usize,
}

thread_local! {
    static CAPTURED: RefCell<Captured> = RefCell::default();
}

// SAFETY: as in php_output.h of PHP 8.1 to 8.5.
unsafe extern "C" {
    fn php_output_end_all();
    fn php_output_discard_all();
    fn php_output_get_level() -> c_int;
}

/// From now on this process's output is kept for [`take`]. What was buffered by output handlers before is thrown away: it is another process's.
pub fn capture() {
    // SAFETY: a process of one thread, at its start. The struct is PHP's own; the functions fit its types.
    unsafe {
        php_output_discard_all();
        sapi_module.ub_write = Some(keep);
        sapi_module.flush = Some(no_flush);
    }
}

/// Takes what was printed since the last call, once the output buffers that were left open are ended; none where nothing was printed.
#[must_use]
pub fn take() -> Option<String> {
    // SAFETY: reads a number.
    if unsafe { php_output_get_level() } > 0 {
        // A buffer's callback is the application's code, and may do anything.
        let _ = try_catch(end_buffers);
        super::call::clear_pending();
    }
    CAPTURED.with_borrow_mut(|captured| {
        let Captured { bytes, dropped } = std::mem::take(captured);
        if bytes.is_empty() {
            return None;
        }
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if dropped > 0 {
            text.push_str(&format!("… ({dropped} bytes more)"));
        }
        Some(text)
    })
}

/// Ends all output buffers, their callbacks included. The caller survives what these do.
pub(super) fn end_buffers() {
    // SAFETY: PHP's own way to end them.
    unsafe { php_output_end_all() };
}

unsafe extern "C" fn keep(text: *const c_char, length: usize) -> usize {
    if !text.is_null() {
        // SAFETY: PHP gives a text of this length, which lives during this call.
        let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
        CAPTURED.with_borrow_mut(|captured| {
            let kept = text.len().min(MOST.saturating_sub(captured.bytes.len()));
            captured.bytes.extend_from_slice(&text[..kept]);
            captured.dropped += text.len() - kept;
        });
    }
    length
}

unsafe extern "C" fn no_flush(_context: *mut c_void) {}
