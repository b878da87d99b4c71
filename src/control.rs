//! Defines the function `proletarier_control()`: a request to the daemon's control socket.

use crate::array_argument;
use crate::exceptions::{self, BrokerUnavailable, Configuration, InvalidArgument, Rejected};
use crate::php::arguments;
use crate::php::json::{self, Buffer};
use crate::settings;
use crate::shown;
use ext_php_rs::args::Arg;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{ExecuteData, run_handler};
use proletarier_engine::control::{self, ControlError};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

const NAME: &str = "proletarier_control";
/// What is for this request, among the settings.
const OWN_KEYS: [&str; 3] = ["timeout", "events", "logger"];
/// Seconds that an answer may take, where nothing else is said, and at most.
const TIMEOUT: f64 = 5.0;
const LONGEST: f64 = 3_600.0;

/// The function as PHP registers it.
pub fn function() -> FunctionBuilder<'static> {
    FunctionBuilder::new(NAME, handler)
        .arg(Arg::new("request", DataType::Array))
        .not_required()
        .arg(Arg::new("options", DataType::Array).default("[]"))
        .returns(DataType::Array, false, false)
        .docs(&["Asks the daemon at its control socket, and returns its answer."])
}

extern "C" fn handler(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| match ask(arguments::of(call)) {
        Ok(answer) => *result = answer,
        Err(exception) => exception.throw(),
    }));
}

fn ask(given: &[Zval]) -> Result<Zval, PhpException> {
    array_argument::first(given, NAME, "request")?;
    let options = array_argument::optional(given, 1, NAME, "options")?;
    let timeout = match settings::option(options, "timeout") {
        None => TIMEOUT,
        Some(value) => {
            let seconds = value.double().or_else(|| value.long().map(|seconds| seconds as f64));
            seconds.filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST).ok_or_else(|| {
                exceptions::new::<Configuration>(format!(
                    "timeout: {} is not allowed: give seconds, more than 0 and up to {LONGEST}",
                    shown::value(value)
                ))
            })?
        }
    };
    let settings = settings::read(options, &OWN_KEYS)?;
    let mut buffer = Buffer::default();
    let request = buffer.encode(&given[0]).ok_or_else(|| {
        exceptions::new::<InvalidArgument>("the request can't be said as JSON: it has to be UTF-8, and nest at most 128 arrays")
    })?;
    let answer = control::ask(&settings.broker, request, Duration::from_secs_f64(timeout)).map_err(|error| exception(&error))?;
    let answer = json::decode(&answer).filter(Zval::is_array).ok_or_else(|| {
        exceptions::new::<BrokerUnavailable>(format!("what answers at {} is no daemon of Proletarier", settings.broker.control))
    })?;
    match answer.array().and_then(|answer| answer.get("error")).and_then(Zval::str) {
        // Of one event that failed, as `outcome` tells it, this is no refusal.
        Some(error) if answer.array().is_some_and(|answer| answer.get("state").is_none()) => {
            Err(exceptions::new::<Rejected>(format!("the daemon refused the request: {error}")))
        }
        _ => Ok(answer),
    }
}

fn exception(error: &ControlError) -> PhpException {
    exceptions::new::<BrokerUnavailable>(error.to_string())
}
