//! Provides the module's entry: what PHP finds in the extension.

use crate::{client, confirm, control, event, exceptions, info, interfaces, php, recycle, request_end, run, spool, worker};
use ext_php_rs::prelude::*;

/// Before any class of `ext-php-rs`'s own: interfaces and exceptions, which it can't make.
fn startup(_type: i32, _module: i32) -> i32 {
    let registered = interfaces::register().and_then(|()| exceptions::register()).and_then(|()| client::register());
    match registered {
        Ok(()) => {
            request_end::hook();
            worker::hook_limits();
            if php::sapi::name() == "cli" {
                // Before any PHP code: its title, environment and directory are as they were typed.
                proletarier_engine::capture_command_line();
            }
            0
        }
        Err(error) => {
            php::log::write(&format!("proletarier: {error}"));
            1
        }
    }
}

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
        .function(control::function())
        .function(spool::function())
        .function(recycle::function())
        .shutdown_function(request_end::module_shutdown)
        .info_function(info::print)
}
