//! Provides the class entries of PHP's own classes that ours extend, and that arguments are checked against.
#![allow(unsafe_code)]

use ext_php_rs::zend::ClassEntry;

// SAFETY: exported by every PHP binary under these names, with these types (spl_exceptions.h, php_json.h, zend_enum.h, php_date.h).
unsafe extern "C" {
    static spl_ce_InvalidArgumentException: *mut ClassEntry;
    static spl_ce_LengthException: *mut ClassEntry;
    static spl_ce_RuntimeException: *mut ClassEntry;
    static spl_ce_ArrayObject: *mut ClassEntry;
    static php_json_serializable_ce: *mut ClassEntry;
    static zend_ce_backed_enum: *mut ClassEntry;
    static zend_ce_unit_enum: *mut ClassEntry;
    static zend_ce_closure: *mut ClassEntry;
    fn php_date_get_immutable_ce() -> *mut ClassEntry;
    fn php_date_get_interface_ce() -> *mut ClassEntry;
}

macro_rules! entries {
    ($($(#[$doc:meta])* $name:ident = $entry:expr;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name() -> &'static ClassEntry {
            // SAFETY: PHP sets these before it starts extensions and keeps them until the process ends.
            unsafe { &*$entry }
        }
    )*};
}

entries! {
    /// `\InvalidArgumentException`
    invalid_argument = spl_ce_InvalidArgumentException;
    /// `\LengthException`
    length = spl_ce_LengthException;
    /// `\RuntimeException`
    runtime = spl_ce_RuntimeException;
    /// `\ArrayObject`
    array_object = spl_ce_ArrayObject;
    /// `\JsonSerializable`
    json_serializable = php_json_serializable_ce;
    /// `\BackedEnum`
    backed_enum = zend_ce_backed_enum;
    /// `\UnitEnum`
    unit_enum = zend_ce_unit_enum;
    /// `\Closure`
    closure = zend_ce_closure;
    /// `\DateTimeImmutable`
    date_time_immutable = php_date_get_immutable_ce();
    /// `\DateTimeInterface`
    date_time = php_date_get_interface_ce();
}
