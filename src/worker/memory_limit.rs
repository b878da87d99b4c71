//! Provides PHP's memory_limit in a worker.

use ext_php_rs::types::{ZendCallable, Zval};
use proletarier_core::settings::MemoryLimit;

/// Sets it as configured.
pub fn apply(limit: MemoryLimit) {
    match limit {
        MemoryLimit::Untouched => {}
        MemoryLimit::Bytes(bytes) => set(bytes),
        MemoryLimit::WhereUnlimited(bytes) => {
            if call("ini_get", vec![&"memory_limit"]).and_then(|value| value.string()).as_deref() == Some("-1") {
                set(bytes);
            }
        }
    }
}

fn set(bytes: u64) {
    // PHP refuses one below what is in use already; that leaves the old one, which is what there is to do.
    call("ini_set", vec![&"memory_limit", &bytes.to_string()]);
}

fn call(function: &str, arguments: Vec<&dyn ext_php_rs::convert::IntoZvalDyn>) -> Option<Zval> {
    ZendCallable::try_from_name(function).ok()?.try_call(arguments).ok()
}
