//! Defines the function `proletarier_run()`.

use crate::array_argument;
use crate::exceptions::{self, AlreadyRunning, Configuration};
use crate::php::{arguments, sapi};
use crate::settings;
use crate::shown;
use crate::worker::{self, PhpApplication, Voice};
use ext_php_rs::args::Arg;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{ExecuteData, run_handler};
use proletarier_core::nearest::nearest;
use proletarier_engine::{Role, RunError};
use std::panic::AssertUnwindSafe;

const NAME: &str = "proletarier_run";
/// What is for this run, among the settings.
const RUN_KEYS: [&str; 3] = ["role", "events", "logger"];
const ROLES: [(&str, Role); 3] = [("all", Role::All), ("broker", Role::Broker), ("worker", Role::Worker)];

/// The function as PHP registers it.
pub fn function() -> FunctionBuilder<'static> {
    FunctionBuilder::new(NAME, handler)
        .arg(Arg::new("listeners", DataType::Array))
        .not_required()
        .arg(Arg::new("options", DataType::Array).default("[]"))
        .returns(DataType::Long, false, false)
        .docs(&["Runs the daemon until it is told to stop. Returns in the process that called it only, with the exit status."])
}

extern "C" fn handler(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| match run(arguments::of(call)) {
        Ok(status) => result.set_long(status),
        Err(exception) => exception.throw(),
    }));
}

fn configuration(message: impl Into<String>) -> PhpException {
    exceptions::new::<Configuration>(message)
}

fn run(given: &[Zval]) -> Result<i32, PhpException> {
    let listeners = array_argument::first(given, NAME, "listeners")?;
    let sapi = sapi::name();
    if sapi != "cli" {
        return Err(configuration(format!(
            "proletarier_run() runs on the command line only (php-cli), not under {sapi}: a daemon needs processes of its own"
        )));
    }
    let options = array_argument::optional(given, 1, NAME, "options")?;
    let option = |key: &str| settings::option(options, key);
    let role = role(option("role"))?;
    let voice = Voice { events: events(option("events"))?, logger: logger(option("logger"))?, ..Voice::default() };
    let (settings, raw) = settings::read_both(options, &RUN_KEYS)?;
    let listeners = worker::read_listeners(listeners)?;
    let mut application = PhpApplication::new(listeners, voice, &settings);
    proletarier_engine::run(settings, &raw, role, &mut application).map_err(|error| match &error {
        RunError::AlreadyRunning(_) => exceptions::new::<AlreadyRunning>(error.to_string()),
        RunError::Setup(_) => configuration(error.to_string()),
    })
}

fn role(value: Option<&Zval>) -> Result<Role, PhpException> {
    let Some(value) = value else { return Ok(Role::All) };
    let word = value.str();
    ROLES.iter().find(|(known, _)| Some(*known) == word).map(|(_, role)| *role).ok_or_else(|| {
        let words = ROLES.map(|(word, _)| word);
        let hint =
            word.and_then(|word| nearest(word, words)).map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        configuration(format!("role: {} is not allowed: give 'all', 'broker' or 'worker'{hint}", shown::value(value)))
    })
}

fn events(value: Option<&Zval>) -> Result<Option<Zval>, PhpException> {
    match value {
        None => Ok(None),
        Some(value) if value.is_callable() => Ok(Some(value.shallow_clone())),
        Some(value) => Err(configuration(format!(
            "events: {} is not allowed: give a callable(string $name, array $params)",
            shown::value(value)
        ))),
    }
}

fn logger(value: Option<&Zval>) -> Result<Option<Zval>, PhpException> {
    match value {
        None => Ok(None),
        Some(value) if value.object().is_some_and(|object| object.get_class_entry().function_table.get("log").is_some()) => {
            Ok(Some(value.shallow_clone()))
        }
        Some(value) => {
            Err(configuration(format!("logger: {} is not allowed: give an object with PSR-3's log()", shown::value(value))))
        }
    }
}
