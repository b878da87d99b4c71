//! The PHP extension: classes, functions and the application that workers run. What happens to events is in `crates/`.
#![deny(unsafe_code)]

pub mod client;
pub mod confirm;
pub mod event;
pub mod exceptions;
mod info;
pub mod interfaces;
mod json_value;
pub mod php;
mod request_end;
mod retry_after;
mod run;
mod shown;
mod trigger;
mod worker;

use ext_php_rs::prelude::*;

/// Before any class of `ext-php-rs`'s own: interfaces and exceptions, which it can't make.
fn startup(_type: i32, _module: i32) -> i32 {
    let registered = interfaces::register().and_then(|()| exceptions::register()).and_then(|()| client::register());
    match registered {
        Ok(()) => {
            request_end::hook();
            0
        }
        Err(error) => {
            php::log::write(&format!("proletarier: {error}"));
            1
        }
    }
}

/// The module, as PHP asks for it.
#[php_module]
#[php(startup = startup)]
pub fn module(module: ModuleBuilder) -> ModuleBuilder {
    module
        .enumeration::<confirm::Confirm>()
        .class::<event::Event>()
        .class::<worker::Guard>()
        .class::<worker::Wrap>()
        .class::<worker::EventManager>()
        .function(run::function())
        .shutdown_function(request_end::module_shutdown)
        .info_function(info::print)
}
