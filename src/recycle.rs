//! Defines the function `proletarier_recycle()`: a worker is to be replaced after the event that it handles.

use crate::php::{arguments, throwable};
use ext_php_rs::args::Arg;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{ExecuteData, ce, run_handler};
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;

const NAME: &str = "proletarier_recycle";
/// The longest reason that is shown, in characters.
const LONGEST: usize = 200;

thread_local! {
    static IN_WORKER: Cell<bool> = const { Cell::new(false) };
    static ASKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The function as PHP registers it.
pub fn function() -> FunctionBuilder<'static> {
    FunctionBuilder::new(NAME, handler)
        .arg(Arg::new("reason", DataType::String))
        .returns(DataType::Bool, false, false)
        .docs(&["Has this worker replaced after the event that it handles. Outside of a worker: nothing, and false."])
}

extern "C" fn handler(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| match arguments::of(call).first() {
        Some(reason) => {
            let is_worker = IN_WORKER.get();
            if is_worker {
                ask(&throwable::text(reason.dereference()));
            }
            result.set_bool(is_worker);
        }
        None => {
            PhpException::new(format!("{NAME}() expects exactly 1 argument, 0 given"), 0, ce::argument_count_error()).throw();
        }
    }));
}

fn ask(reason: &str) {
    let shown = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    ASKED.with_borrow_mut(|asked| {
        // The first one is the reason; those that follow may be of its consequences.
        asked.get_or_insert(shown);
    });
}

/// This process is a worker from here on.
pub fn begin() {
    IN_WORKER.set(true);
}

/// Why this worker should be replaced, where somebody has said so since the last call.
pub fn take() -> Option<String> {
    ASKED.take()
}
