//! Provides the moment at which PHP code can be interrupted: between two steps of its machine, at loops, calls and their ends.
#![allow(unsafe_code)]

use ext_php_rs::ffi::{executor_globals, zend_execute_data, zend_function, zend_interrupt_function};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The function that was there before, as an address; 0 before the hook is set, 1 where there was none. Written once, while the module starts.
static FORMER: AtomicUsize = AtomicUsize::new(0);
/// What runs after it.
static NOTICE: AtomicUsize = AtomicUsize::new(0);

type Interrupt = unsafe extern "C" fn(*mut zend_execute_data);

/// `type` of functions that are written in PHP.
pub(super) const USER_FUNCTION: u8 = 2;

/// Lets `notice` run at each interrupt, in the midst of PHP code; it may throw. Only while the module starts: what is set later is not seen by
/// code that OPcache compiled to machine code.
pub fn hook(notice: fn()) {
    // SAFETY: single-threaded while modules start; the variable is PHP's own, and lives as long as the process.
    unsafe {
        if FORMER.load(Ordering::Relaxed) == 0 {
            FORMER.store(zend_interrupt_function.map_or(1, |former| former as usize), Ordering::Relaxed);
            NOTICE.store(notice as usize, Ordering::Relaxed);
            zend_interrupt_function = Some(interrupted);
        }
    }
}

/// Takes the hook away, where it is still the outermost one: this library may be unloaded after the module's end.
pub fn unhook() {
    // SAFETY: as above, while modules end.
    unsafe {
        let ours: Interrupt = interrupted;
        if zend_interrupt_function.is_some_and(|current| std::ptr::fn_addr_eq(current, ours)) {
            zend_interrupt_function = former();
            FORMER.store(0, Ordering::Relaxed);
        }
    }
}

fn former() -> Option<Interrupt> {
    match FORMER.load(Ordering::Relaxed) {
        0 | 1 => None,
        // SAFETY: stored from a function pointer of this type.
        address => Some(unsafe { std::mem::transmute::<usize, Interrupt>(address) }),
    }
}

unsafe extern "C" fn interrupted(frame: *mut zend_execute_data) {
    if let Some(former) = former() {
        // SAFETY: what stood in PHP's variable, called as PHP would.
        unsafe { former(frame) };
    }
    // SAFETY: PHP's globals are statically allocated; this thread owns them.
    if !unsafe { executor_globals.exception }.is_null() {
        // What ran before has thrown already.
        return;
    }
    let notice = NOTICE.load(Ordering::Relaxed);
    // SAFETY: stored from a function pointer of this type, before this function was installed.
    let notice = unsafe { std::mem::transmute::<usize, fn()>(notice) };
    // A panic must not leave through PHP's frames.
    let _ = std::panic::catch_unwind(notice);
}

/// Asks PHP for an interrupt, soon. From any thread, at any moment.
pub fn request() {
    // SAFETY: the address of a byte that PHP itself reads and writes as an atomic, also from signal handlers; it lives as long as the process.
    let flag = unsafe { AtomicBool::from_ptr((&raw mut executor_globals.vm_interrupt.value).cast()) };
    flag.store(true, Ordering::SeqCst);
}

/// Whether any of the running functions is in a finally block: what is thrown there would cut it short.
#[must_use]
pub fn is_in_finally() -> bool {
    // SAFETY: this thread owns PHP's stack. Each frame is live, and its function, of which user code's has the tables that it says it has.
    unsafe {
        let mut frame = executor_globals.current_execute_data;
        while let Some(running) = frame.as_ref() {
            if is_finally(running.func, running.opline) {
                return true;
            }
            frame = running.prev_execute_data;
        }
    }
    false
}

/// # Safety
/// `function` is null or live, and `opline` is within it where it is written in PHP.
unsafe fn is_finally(function: *const zend_function, opline: *const ext_php_rs::ffi::zend_op) -> bool {
    // SAFETY: as the caller says.
    unsafe {
        let Some(function) = function.as_ref().filter(|function| function.type_ == USER_FUNCTION) else { return false };
        let code = &function.op_array;
        if code.last_try_catch <= 0 || code.try_catch_array.is_null() {
            return false;
        }
        // As an address: while something is thrown, PHP points outside of the function.
        let at = (opline as usize).wrapping_sub(code.opcodes as usize) / size_of::<ext_php_rs::ffi::zend_op>();
        let tries = std::slice::from_raw_parts(code.try_catch_array, code.last_try_catch as usize);
        tries.iter().any(|tried| tried.finally_op != 0 && (tried.finally_op as usize..tried.finally_end as usize).contains(&at))
    }
}
