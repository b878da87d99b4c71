//! Provides the hook for the end of a request, and the server API's name.
#![allow(unsafe_code)]

use ext_php_rs::ffi::sapi_module;
use std::ffi::{CStr, c_int};
use std::sync::atomic::{AtomicUsize, Ordering};

/// PHP's own function, as an address; 0 before the hook is set. Written once, while the module starts.
static ORIGINAL: AtomicUsize = AtomicUsize::new(0);
/// What runs after it.
static AFTER: AtomicUsize = AtomicUsize::new(0);

type Deactivate = unsafe extern "C" fn() -> c_int;

/// Lets `after` run at each request's end, behind PHP's own end of it: the answer is with the client by then, and the session is unlocked. No PHP
/// code may run there. Only while the module starts.
pub fn after_request(after: fn()) {
    // SAFETY: single-threaded while modules start; the struct is PHP's own, and lives as long as the process.
    unsafe {
        if ORIGINAL.load(Ordering::Relaxed) == 0 {
            ORIGINAL.store(sapi_module.deactivate.map_or(1, |original| original as usize), Ordering::Relaxed);
            AFTER.store(after as usize, Ordering::Relaxed);
            sapi_module.deactivate = Some(deactivate);
        }
    }
}

/// Takes the hook away, where it is still the outermost one: this library may be unloaded after the module's end.
pub fn forget_after_request() {
    // SAFETY: as above, while modules end.
    unsafe {
        let ours: Deactivate = deactivate;
        if sapi_module.deactivate.is_some_and(|current| std::ptr::fn_addr_eq(current, ours)) {
            sapi_module.deactivate = original();
            ORIGINAL.store(0, Ordering::Relaxed);
        }
    }
}

fn original() -> Option<Deactivate> {
    match ORIGINAL.load(Ordering::Relaxed) {
        0 | 1 => None,
        // SAFETY: stored from a function pointer of this type.
        address => Some(unsafe { std::mem::transmute::<usize, Deactivate>(address) }),
    }
}

unsafe extern "C" fn deactivate() -> c_int {
    // SAFETY: PHP's own function, called as PHP would.
    let result = original().map_or(0, |original| unsafe { original() });
    let after = AFTER.load(Ordering::Relaxed);
    // SAFETY: stored from a function pointer of this type, before this function was installed.
    let after = unsafe { std::mem::transmute::<usize, fn()>(after) };
    // A panic must not leave through PHP's frames.
    let _ = std::panic::catch_unwind(after);
    result
}

/// The server API, such as `cli` or `fpm-fcgi`.
#[must_use]
pub fn name() -> String {
    // SAFETY: a C string that PHP never frees.
    unsafe {
        let name = sapi_module.name;
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}
