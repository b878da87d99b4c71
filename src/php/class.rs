//! Provides the registration of interfaces and exceptions, which have no Rust value behind them, and of what `ext-php-rs` can't say of a class.
#![allow(unsafe_code)]

use ext_php_rs::args::ArgInfoTables;
use ext_php_rs::builders::ClassBuilder;
use ext_php_rs::class::ClassEntryInfo;
use ext_php_rs::error::Result;
use ext_php_rs::ffi::{
    IS_ARRAY, IS_ARRAY_EX, IS_DOUBLE, IS_OBJECT, IS_STRING, zend_function, zend_hash_str_find_ptr_lc, zend_read_property,
    zend_string, zend_type, zval,
};
use ext_php_rs::flags::PropertyFlags;
use ext_php_rs::types::{ZendHashTable, ZendObject, ZendStr, Zval};
use ext_php_rs::zend::ClassEntry;
use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

/// Where a declared class is found once it is registered.
pub struct Entry(AtomicPtr<ClassEntry>);

impl Default for Entry {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    /// An entry that is set by [`register`].
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }
}

/// A class or interface that PHP knows and that no Rust value stands behind. Usually made by [`declare_class`](crate::declare_class).
pub trait Declared: 'static {
    /// Its full name.
    const NAME: &'static str;
    /// Where its entry is kept.
    fn entry() -> &'static Entry;
    /// Says what it extends and implements, and which methods it has.
    fn describe(builder: ClassBuilder) -> ClassBuilder;
}

/// Declares a type that implements [`Declared`].
#[macro_export]
macro_rules! declare_class {
    ($(#[$doc:meta])* $type:ident = $name:literal, $describe:expr) => {
        $(#[$doc])*
        pub struct $type;

        impl $crate::php::class::Declared for $type {
            const NAME: &'static str = $name;

            fn entry() -> &'static $crate::php::class::Entry {
                static ENTRY: $crate::php::class::Entry = $crate::php::class::Entry::new();
                &ENTRY
            }

            fn describe(builder: ::ext_php_rs::builders::ClassBuilder) -> ::ext_php_rs::builders::ClassBuilder {
                $describe(builder)
            }
        }
    };
}

/// Registers the class with PHP. Only while the module starts.
///
/// # Errors
/// When PHP refuses it.
pub fn register<T: Declared>() -> Result<()> {
    T::describe(ClassBuilder::new(T::NAME)).registration(keep::<T>).register()
}

fn keep<T: Declared>(class: &'static mut ClassEntry, arguments: ArgInfoTables) {
    // PHP reads the tables for as long as the class lives, which is the module's own life.
    Box::leak(arguments);
    T::entry().0.store(class, Ordering::Release);
}

/// The class entry of a registered class.
///
/// # Panics
/// Before the class is registered: a fault of this crate.
#[must_use]
pub fn entry<T: Declared>() -> &'static ClassEntry {
    // SAFETY: null, or what `keep` stored: a class entry that lives until the module ends.
    unsafe { T::entry().0.load(Ordering::Acquire).as_ref() }.unwrap_or_else(|| panic!("{} is not registered", T::NAME))
}

/// What `ext-php-rs` wants of a parent class or interface.
#[must_use]
pub fn info<T: Declared>() -> ClassEntryInfo {
    (entry::<T>, T::NAME)
}

/// The type `string|object`.
pub const STRING_OR_OBJECT: u32 = 1 << IS_STRING | 1 << IS_OBJECT;
/// The type `array`.
pub const ARRAY: u32 = 1 << IS_ARRAY;

/// Gives a method's parameter a type, and a default as PHP code, that `ext-php-rs` has no words for. For Reflection and for PHP's check of
/// implementers; the method checks what it gets by itself. Only while the module starts.
pub fn set_parameter(class: &ClassEntry, method: &str, index: usize, type_mask: u32, default: Option<&'static CStr>) {
    // SAFETY: the class is registered, so its function table is live, and the type of its entries is this one. The argument table, of `num_args`
    // entries, is memory that PHP or a `registration` function keeps for this one method, and no request reads it yet.
    unsafe {
        let method = zend_hash_str_find_ptr_lc(&raw const class.function_table, method.as_ptr().cast(), method.len())
            .cast::<zend_function>();
        let Some(method) = method.as_ref() else { return };
        if index >= method.internal_function.num_args as usize {
            return;
        }
        let argument = method.internal_function.arg_info.add(index);
        (*argument).type_.type_mask = type_mask;
        if let Some(default) = default {
            (*argument).default_value = default.as_ptr();
        }
    }
}

// SAFETY: as in zend_API.h of PHP 8.1 to 8.5.
unsafe extern "C" {
    fn zend_declare_typed_property(
        class: *mut ClassEntry,
        name: *mut zend_string,
        default: *mut zval,
        flags: i32,
        doc: *mut zend_string,
        type_: zend_type,
    ) -> *mut c_void;
    fn zend_get_properties_for(object: *mut zval, purpose: u32) -> *mut ZendHashTable;
    fn zend_update_property(
        scope: *mut ClassEntry,
        object: *mut ZendObject,
        name: *const c_char,
        length: usize,
        value: *mut zval,
    );
}

/// Declares a private property of type float, without a default. Only while the module starts.
pub fn private_float(class: &'static ClassEntry, name: &str) {
    let mut undefined = Zval::new();
    undefined.u1.type_info = 0;
    let type_ = zend_type { ptr: std::ptr::null_mut(), type_mask: 1 << IS_DOUBLE };
    let flags = PropertyFlags::Private.bits().cast_signed();
    // SAFETY: the class is registered and not yet used; PHP keeps the interned name, and copies the other arguments.
    unsafe {
        let name = ZendStr::new_interned(name, true).into_raw();
        zend_declare_typed_property(
            std::ptr::from_ref(class).cast_mut(),
            name,
            &raw mut undefined,
            flags,
            std::ptr::null_mut(),
            type_,
        );
    }
}

/// Sets a property of the object, as code of `class` would.
pub fn set_property(class: &'static ClassEntry, object: &mut ZendObject, name: &str, mut value: Zval) {
    // SAFETY: the object is live, PHP copies name and value.
    unsafe {
        zend_update_property(std::ptr::from_ref(class).cast_mut(), object, name.as_ptr().cast(), name.len(), &raw mut value)
    };
}

/// Reads a property of the object, as code of `class` would.
pub fn property(class: &'static ClassEntry, object: &ZendObject, name: &str) -> Zval {
    let mut scratch = Zval::new();
    // SAFETY: the object is live; the result points into it, or to `scratch`, and is copied before either goes.
    unsafe {
        let object = std::ptr::from_ref(object).cast_mut();
        let value = zend_read_property(
            std::ptr::from_ref(class).cast_mut(),
            object,
            name.as_ptr().cast(),
            name.len(),
            true,
            &raw mut scratch,
        );
        value.as_ref().map_or_else(Zval::new, |value| value.dereference().shallow_clone())
    }
}

/// The properties of an object as PHP's JSON encoder sees them, as an array; hidden ones have keys that begin with NUL.
pub fn json_properties(object: &Zval) -> Zval {
    /// `ZEND_PROP_PURPOSE_JSON`
    const JSON: u32 = 4;
    let mut array = Zval::new();
    // SAFETY: an object, behind its reference. PHP gives a table with a reference of ours, or one that is shared and never freed; the zval says
    // which.
    unsafe {
        let object = std::ptr::from_ref(object.dereference()).cast_mut();
        if let Some(table) = zend_get_properties_for(object, JSON).as_mut() {
            array.u1.type_info = if table.is_immutable() { IS_ARRAY } else { IS_ARRAY_EX };
            array.value.arr = table;
        }
    }
    array
}
