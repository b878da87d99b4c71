//! Provides the extension's part of phpinfo().

use crate::php::info::{self, Row};
use ext_php_rs::zend::ModuleEntry;

/// Prints it.
pub extern "C" fn print(_module: *mut ModuleEntry) {
    let (major, minor, patch) = proletarier_engine::transport_version();
    let settings =
        "the key \"proletarier\" of the application's configuration, and the options of new Proletarier\\Client; no ini settings";
    info::table(&[
        Row("Proletarier", "enabled"),
        Row("Version", env!("CARGO_PKG_VERSION")),
        Row("ZeroMQ library", &format!("{major}.{minor}.{patch}")),
        Row("Confirm levels", "none, deferred, accepted, synced"),
        Row("Settings", settings),
    ]);
}
