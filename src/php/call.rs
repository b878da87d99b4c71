//! Provides calls of PHP code from Rust whose every end comes back as a value: return, exception, exit() or fatal error.
#![allow(unsafe_code)]

use super::throwable::Throwable;
use ext_php_rs::ffi::{_call_user_function_impl, zend_call_known_function, zend_function, zend_hash_str_find_ptr_lc};
use ext_php_rs::types::{ZendObject, Zval};
use ext_php_rs::zend::{CatchError, ClassEntry, ExecutorGlobals, try_catch};
use std::ffi::c_int;
use std::panic::AssertUnwindSafe;

/// How a call ended, other than by returning.
#[derive(Debug)]
pub enum Ended {
    /// Something was thrown.
    Thrown(Throwable),
    /// exit() was called, with this status.
    Exit(i32),
    /// PHP died of this: a fatal error, or no memory left. No PHP code may run any more in this process.
    Fatal(LastError),
}

/// PHP's last error, as `error_get_last()` tells it.
#[derive(Debug)]
pub struct LastError {
    /// What it says.
    pub message: String,
    /// Where.
    pub file: String,
    /// Where in the file.
    pub line: u32,
}

// SAFETY: as in zend_exceptions.h of PHP 8.1 to 8.5.
unsafe extern "C" {
    fn zend_is_unwind_exit(exception: *const ZendObject) -> bool;
    fn zend_is_graceful_exit(exception: *const ZendObject) -> bool;
    fn zend_clear_exception();
}

/// Calls something callable with these arguments.
///
/// # Errors
/// When it did not return.
pub fn callable(callable: &Zval, arguments: &mut [Zval]) -> Result<Zval, Ended> {
    guarded(|result| {
        // SAFETY: PHP checks that the value is callable, copies the arguments, and writes the result into a live zval.
        let called = unsafe {
            let callable = std::ptr::from_ref(callable).cast_mut();
            _call_user_function_impl(
                std::ptr::null_mut(),
                callable,
                result,
                arguments.len() as u32,
                arguments.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        if called == 0 { Ok(()) } else { Err("not callable") }
    })
}

/// Calls the object's method with these arguments.
///
/// # Errors
/// When it did not return, or there is no such method.
pub fn method(object: &ZendObject, name: &str, arguments: &mut [Zval]) -> Result<Zval, Ended> {
    guarded(|result| {
        // SAFETY: object and class are live; a method found in its table may be called on it; PHP copies the arguments.
        unsafe {
            let function = zend_hash_str_find_ptr_lc(&raw const (*object.ce).function_table, name.as_ptr().cast(), name.len())
                .cast::<zend_function>();
            if function.is_null() {
                return Err("no such method");
            }
            let object_pointer = std::ptr::from_ref(object).cast_mut();
            zend_call_known_function(
                function,
                object_pointer,
                object.ce,
                result,
                arguments.len() as u32,
                arguments.as_mut_ptr(),
                std::ptr::null_mut(),
            );
        }
        Ok(())
    })
}

/// Calls the constructor that `class`, a parent of the object's own, has.
///
/// # Errors
/// When it did not return.
pub fn parent_constructor(class: &'static ClassEntry, object: &mut ZendObject, arguments: &mut [Zval]) -> Result<Zval, Ended> {
    guarded(|result| {
        if class.constructor.is_null() {
            return Err("no constructor");
        }
        let class = std::ptr::from_ref(class).cast_mut();
        // SAFETY: object and class are live, and the one is of the other; PHP copies the arguments.
        unsafe {
            zend_call_known_function(
                (*class).constructor,
                object,
                class,
                result,
                arguments.len() as u32,
                arguments.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        Ok(())
    })
}

fn guarded(call: impl FnOnce(&mut Zval) -> Result<(), &'static str>) -> Result<Zval, Ended> {
    let errors_before = last_error_mark();
    let mut result = Zval::new();
    let caught = try_catch(AssertUnwindSafe(|| call(&mut result)));
    match caught {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => {
            if let Some(ended) = pending(errors_before) {
                return Err(ended);
            }
            return Err(Ended::Thrown(Throwable::described("Error", reason)));
        }
        Err(CatchError::Panic(message)) => return Err(Ended::Thrown(Throwable::described("Rust panic", &message))),
        Err(_) => return Err(Ended::Fatal(last_error())),
    }
    pending(errors_before).map_or(Ok(result), Err)
}

/// What is pending after a call, taken off the engine.
fn pending(errors_before: usize) -> Option<Ended> {
    if !ExecutorGlobals::has_exception() {
        return None;
    }
    let exception = ExecutorGlobals::get().exception;
    // SAFETY: a live object, only looked at. Nothing may be called on an unwind_exit, which is no exception of PHP's.
    let leaves = unsafe { zend_is_unwind_exit(exception) || zend_is_graceful_exit(exception) };
    if leaves {
        let status = ExecutorGlobals::get().exit_status;
        // Memory exhausted comes as an unwind_exit too, with a last error that was not there before.
        let fatal = status == 255 && last_error_mark() != errors_before && last_error_is_fatal();
        let ended = if fatal { Ended::Fatal(last_error()) } else { Ended::Exit(status) };
        return Some(ended);
    }
    ExecutorGlobals::take_exception().map(|exception| Ended::Thrown(Throwable::new(exception)))
}

/// What is pending outside of a call, because the end of an object threw it, taken off the engine.
#[must_use]
pub fn stray() -> Option<Ended> {
    pending(last_error_mark())
}

/// Forgets a pending exception or exit, so that PHP code can run again. For the end of a process.
pub fn clear_pending() {
    // SAFETY: PHP checks whether there is one.
    unsafe { zend_clear_exception() };
}

/// Goes on with a fatal error that was caught, to the next one who waits for it. Frees nothing of this function's callers.
pub fn bail_out() -> ! {
    // SAFETY: the caller holds nothing that must be freed for the process to end.
    unsafe { ext_php_rs::zend::bailout() }
}

/// E_ERROR, E_PARSE, E_CORE_ERROR, E_COMPILE_ERROR, E_USER_ERROR, E_RECOVERABLE_ERROR: those that end a script.
const FATAL: c_int = 1 | 4 | 16 | 64 | 256 | 4096;

/// Differs whenever PHP noted an error in between.
fn last_error_mark() -> usize {
    // SAFETY: PHP's globals are statically allocated. The address is compared, never followed.
    unsafe { (*globals()).last_error_message as usize }
}

fn last_error_is_fatal() -> bool {
    // SAFETY: as above.
    unsafe { (*globals()).last_error_type & FATAL != 0 }
}

/// PHP's last error.
#[must_use]
pub fn last_error() -> LastError {
    // SAFETY: as above; the strings are PHP's own and are copied at once.
    unsafe {
        let globals = globals();
        let text = |string: *mut ext_php_rs::ffi::zend_string| {
            string.as_ref().map_or_else(String::new, |string| String::from_utf8_lossy(string.as_bytes()).into_owned())
        };
        let message = text((*globals).last_error_message);
        LastError {
            message: if message.is_empty() { "PHP ended without saying why".into() } else { message },
            file: text((*globals).last_error_file),
            line: u32::try_from((*globals).last_error_lineno).unwrap_or(0),
        }
    }
}

fn globals() -> *const ext_php_rs::ffi::php_core_globals {
    &raw const ext_php_rs::ffi::core_globals
}
