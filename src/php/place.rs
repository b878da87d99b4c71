//! Provides where this process's PHP code is, for a thread that looks at it from outside: the code may be blocked, or run on meanwhile.
//!
//! Nothing is followed: the system copies memory that is there, and says so where it is not. What is read may be stale or half of something
//! else; it is checked for sense, and never more than shown.
#![allow(unsafe_code)]

use super::interrupt::USER_FUNCTION;
use ext_php_rs::ffi::{executor_globals, zend_class_entry, zend_execute_data, zend_op, zend_string};
use proletarier_engine::application::Place;
use std::ffi::{c_int, c_ulong};
use std::mem::{MaybeUninit, offset_of};

/// Most frames that are shown, and most that are passed on the way to the first that is written in PHP.
const FRAMES: usize = 32;
/// Longest file or function name.
const LONGEST: usize = 1024;
/// A stack that changed while it was read is read again, so often.
const TRIES: usize = 20;

/// Where PHP code is; none where that can't be told: there is none, or the system does not let a process look at itself.
#[must_use]
pub fn current() -> Option<Place> {
    (0..TRIES).find_map(|_| walk())
}

fn walk() -> Option<Place> {
    // SAFETY: only the address is taken.
    let mut frame = copy::<usize>(unsafe { &raw const executor_globals.current_execute_data } as usize)?;
    let (mut place, mut lines) = (Place::default(), Vec::new());
    // Of a function: where it was called.
    let mut callee = String::new();
    while frame != 0 && lines.len() < FRAMES {
        let field = |offset| copy::<usize>(frame + offset);
        let function = field(offset_of!(zend_execute_data, func))?;
        let opline = field(offset_of!(zend_execute_data, opline))?;
        frame = field(offset_of!(zend_execute_data, prev_execute_data))?;
        if function == 0 {
            continue;
        }
        let name = function_name(function)?;
        if copy::<u8>(function)? == USER_FUNCTION {
            let (file, line) = position(function, opline)?;
            if place.file.is_empty() {
                place = Place { file: file.clone(), line, trace: String::new() };
            }
            if !callee.is_empty() {
                lines.push(format!("#{} {file}({line}): {callee}()", lines.len()));
            }
        } else if !callee.is_empty() {
            lines.push(format!("#{} [internal function]: {callee}()", lines.len()));
        }
        callee = name;
    }
    place.trace = lines.join("\n");
    (!place.file.is_empty()).then_some(place)
}

/// File and line of a function that is written in PHP.
fn position(function: usize, opline: usize) -> Option<(String, u32)> {
    macro_rules! field {
        ($field:ident, $type:ty) => {
            copy::<$type>(function + offset_of!(ext_php_rs::ffi::zend_op_array, $field))?
        };
    }
    let file = text(field!(filename, usize))?;
    let (first, last) = (field!(line_start, u32), field!(line_end, u32));
    let line = copy::<u32>(opline + offset_of!(zend_op, lineno)).filter(|line| (first..=last.max(first)).contains(line));
    // Compiled to machine code, a function does not always note its line.
    Some((file, line.unwrap_or(first)))
}

fn function_name(function: usize) -> Option<String> {
    let name = copy::<usize>(function + offset_of!(ext_php_rs::ffi::zend_internal_function, function_name))?;
    if name == 0 {
        return Some(String::new());
    }
    let name = text(name)?;
    let class = copy::<usize>(function + offset_of!(ext_php_rs::ffi::zend_internal_function, scope))?;
    if class == 0 {
        return Some(name);
    }
    let class = text(copy::<usize>(class + offset_of!(zend_class_entry, name))?)?;
    Some(format!("{class}::{name}"))
}

/// The text of a string of PHP's.
fn text(string: usize) -> Option<String> {
    let length = copy::<usize>(string + offset_of!(zend_string, len))?;
    if length > LONGEST {
        return None;
    }
    let mut bytes = vec![0; length];
    read(string + offset_of!(zend_string, val), &mut bytes)?;
    // Anonymous classes have a NUL, and more behind it, in their names.
    let shown = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(String::from_utf8_lossy(shown).into_owned())
}

/// Types of which any bytes are a value.
///
/// # Safety
/// There are no others.
unsafe trait AnyBytes: Copy {}
// SAFETY: an integer.
unsafe impl AnyBytes for u8 {}
// SAFETY: as above.
unsafe impl AnyBytes for u32 {}
// SAFETY: as above.
unsafe impl AnyBytes for usize {}

fn copy<T: AnyBytes>(address: usize) -> Option<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: as many bytes as the value has, all initialised (to zero).
    let bytes = unsafe { std::slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
    read(address, bytes)?;
    // SAFETY: any bytes are a value.
    Some(unsafe { value.assume_init() })
}

/// Copies what is at `address` of this process; none where nothing is.
#[cfg(target_os = "linux")]
fn read(address: usize, bytes: &mut [u8]) -> Option<()> {
    /// `struct iovec`.
    #[repr(C)]
    struct Span {
        start: *mut u8,
        length: usize,
    }
    // SAFETY: as in process_vm_readv(2).
    unsafe extern "C" {
        fn process_vm_readv(
            pid: c_int,
            to: *const Span,
            to_count: c_ulong,
            from: *const Span,
            from_count: c_ulong,
            flags: c_ulong,
        ) -> isize;
    }
    let to = Span { start: bytes.as_mut_ptr(), length: bytes.len() };
    let from = Span { start: address as *mut u8, length: bytes.len() };
    let pid = c_int::try_from(std::process::id()).ok()?;
    // SAFETY: the system writes into `bytes` alone, and checks where it reads.
    let read = unsafe { process_vm_readv(pid, &raw const to, 1, &raw const from, 1, 0) };
    (usize::try_from(read) == Ok(bytes.len())).then_some(())
}

#[cfg(not(target_os = "linux"))]
fn read(_address: usize, _bytes: &mut [u8]) -> Option<()> {
    None
}
