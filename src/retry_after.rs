//! Defines `Proletarier\Exception\RetryAfterException`, which a listener throws when it knows when to try again.

use crate::declare_class;
use crate::exceptions::ExceptionInterface;
use crate::php::throwable::Throwable;
use crate::php::{arguments, call, class, spl};
use ext_php_rs::args::Arg;
use ext_php_rs::builders::{ClassBuilder, FunctionBuilder};
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::{DataType, MethodFlags};
use ext_php_rs::types::{ZendObject, Zval};
use ext_php_rs::zend::{ExecuteData, ce, run_handler};
use std::panic::AssertUnwindSafe;

const SECONDS: &str = "seconds";

declare_class! {
    /// See the file's top.
    RetryAfterException = "Proletarier\\Exception\\RetryAfterException",
    |builder: ClassBuilder| builder
        .extends((spl::runtime, "\\RuntimeException"))
        .implements(class::info::<ExceptionInterface>())
        .method(
            FunctionBuilder::new("__construct", construct)
                .arg(Arg::new("message", DataType::String))
                .arg(Arg::new("seconds", DataType::Double))
                .not_required()
                .arg(Arg::new("previous", DataType::object("Throwable")).allow_null()),
            MethodFlags::Public,
        )
        .method(FunctionBuilder::new("getSeconds", get_seconds).returns(DataType::Double, false, false), MethodFlags::Public)
}

/// Declares the property that holds the seconds. Once the class is registered.
pub fn declare_property() {
    class::private_float(class::entry::<RetryAfterException>(), SECONDS);
}

/// The wait that was asked for, in microseconds, where it was a number of seconds.
#[must_use]
pub fn micros(object: &ZendObject) -> Option<u64> {
    let seconds = class::property(class::entry::<RetryAfterException>(), object, SECONDS).double()?;
    (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1e6) as u64)
}

extern "C" fn construct(call: &mut ExecuteData, _result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| {
        if let Err(exception) = constructed(call) {
            exception.throw();
        }
    }));
}

fn constructed(call: &mut ExecuteData) -> Result<(), PhpException> {
    let given = arguments::of(call);
    let wrong = |expected: &str| {
        PhpException::new(
            format!("{}::__construct(): {expected}", <RetryAfterException as class::Declared>::NAME),
            0,
            ce::type_error(),
        )
    };
    let message = arguments::get(given, 0).filter(|value| value.is_string()).map(Zval::shallow_clone);
    let message = message.ok_or_else(|| wrong("Argument #1 ($message) must be of type string"))?;
    let seconds =
        arguments::get(given, 1).and_then(number).ok_or_else(|| wrong("Argument #2 ($seconds) must be of type float"))?;
    let previous = match arguments::get(given, 2) {
        None => Zval::null(),
        Some(value) if value.object().is_some_and(|object| object.instance_of(ce::throwable())) => value.shallow_clone(),
        Some(_) => return Err(wrong("Argument #3 ($previous) must be of type ?Throwable")),
    };
    let Some(object) = call.get_self() else { return Err(wrong("not called on an object")) };
    let mut code = Zval::new();
    code.set_long(0);
    let mut value = Zval::new();
    value.set_double(seconds);
    class::set_property(class::entry::<RetryAfterException>(), object, SECONDS, value);
    call::parent_constructor(spl::runtime(), object, &mut [message, code, previous]).map(drop).map_err(rethrown)
}

fn number(value: &Zval) -> Option<f64> {
    value.double().or_else(|| value.long().map(|number| number as f64))
}

fn rethrown(ended: call::Ended) -> PhpException {
    let throwable = match ended {
        call::Ended::Thrown(throwable) => throwable,
        _ => Throwable::described("Error", "the constructor of RuntimeException did not return"),
    };
    PhpException::new(throwable.message(), 0, ce::error())
}

extern "C" fn get_seconds(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| {
        let seconds = call.get_self().map(|object| class::property(class::entry::<RetryAfterException>(), object, SECONDS));
        result.set_double(seconds.and_then(|seconds| seconds.double()).unwrap_or(0.0));
    }));
}
