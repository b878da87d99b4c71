//! Provides the arguments of a hand-written method, without the allocations that `ext-php-rs` makes for each call.
#![allow(unsafe_code)]

use ext_php_rs::class::RegisteredClass;
use ext_php_rs::types::{ZendClassObject, Zval};
use ext_php_rs::zend::ExecuteData;

/// The arguments of the running call, in order. Those that a named argument skipped are null or undefined.
#[must_use]
pub fn of(call: &mut ExecuteData) -> &mut [Zval] {
    // SAFETY: all fields of `u2` are one u32. PHP lays the arguments out one after another behind the call's frame, and keeps them until the call
    // ends, which is when this borrow of the frame must have ended too.
    unsafe {
        let count = call.This.u2.num_args as usize;
        match call.zend_call_arg(0) {
            Some(first) if count > 0 => std::slice::from_raw_parts_mut(first, count),
            _ => &mut [],
        }
    }
}

/// The Rust value behind `$this`, and the arguments. None where the object's constructor was not called.
#[must_use]
pub fn of_method<T: RegisteredClass>(call: &mut ExecuteData) -> (Option<&T>, &mut [Zval]) {
    // SAFETY: the object is not part of the call's frame, and the call holds a reference to it until it ends. Shared, because PHP code that runs
    // meanwhile may call a method of the same object.
    let object = call.get_self().map(|object| unsafe { &*std::ptr::from_mut(object) });
    let value = object.and_then(ZendClassObject::<T>::from_zend_obj).and_then(|object| object.obj.as_ref());
    (value, of(call))
}

/// The argument at `index`, behind its reference; none where it was not given.
#[must_use]
pub fn get(arguments: &[Zval], index: usize) -> Option<&Zval> {
    arguments.get(index).map(Zval::dereference).filter(|value| !value.is_null() && !is_undefined(value))
}

fn is_undefined(value: &Zval) -> bool {
    // SAFETY: every zval has its type in these bytes.
    unsafe { value.u1.v.type_ == 0 }
}
