//! Provides trigger() of the native client. Written by hand, without `ext-php-rs`'s argument parser, because it has about a microsecond.

mod event;
mod options;
mod params;

use crate::client::{self, Client};
use crate::exceptions::{self, InvalidArgument, MessageTooLarge};
use crate::interfaces;
use crate::php::arguments;
use event::Event;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{ExecuteData, ce, run_handler};
use options::Options;
use proletarier_core::record::{Headers, Record};
use proletarier_engine::client as engine;
use std::panic::AssertUnwindSafe;
use std::time::{SystemTime, UNIX_EPOCH};

/// The method as PHP registers it.
pub fn method() -> FunctionBuilder<'static> {
    interfaces::trigger_signature(FunctionBuilder::new("trigger", handler))
}

extern "C" fn handler(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| {
        let (client, given) = arguments::of_method::<Client>(call);
        let Some(client) = client else {
            return PhpException::new("Proletarier\\Client::trigger(): the client's constructor was not called".into(), 0, ce::error()).throw();
        };
        match trigger(client, given, result) {
            Ok(()) => {}
            Err(Refused::Exception(exception)) => exception.throw(),
            Err(Refused::Pending) => {}
        }
    }));
}

/// Why nothing was triggered.
enum Refused {
    /// This is to be thrown.
    Exception(PhpException),
    /// What the application's code threw is pending already.
    Pending,
}

impl From<PhpException> for Refused {
    fn from(exception: PhpException) -> Self {
        Self::Exception(exception)
    }
}

fn invalid(message: impl Into<String>) -> PhpException {
    exceptions::new::<InvalidArgument>(message)
}

fn trigger(client: &Client, given: &[Zval], result: &mut Zval) -> Result<(), Refused> {
    let [event, rest @ ..] = given else {
        let message = "Proletarier\\Client::trigger() expects at least 1 argument, 0 given".to_owned();
        return Err(PhpException::new(message, 0, ce::argument_count_error()).into());
    };
    let params = params::argument(given)?;
    let event = Event::of(event.dereference(), params)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let options = match arguments::get(rest, 1) {
        None => Options::default(),
        Some(options) => match options.array() {
            Some(options) if options.is_empty() => Options::default(),
            Some(options) => Options::read(options, now)?,
            None => return Err(type_error(3, "options", options).into()),
        },
    };
    let mut id = [0; 36];
    let id = match &options.id {
        Some(id) => id.as_str(),
        None => engine::new_id(&mut id),
    };
    let mut buffer = client.buffer.take();
    let json = params::encode(&mut buffer, event.params())?;
    if json.len() > client.max_message_size {
        let message = format!(
            "params of \"{}\": {} bytes as JSON, and max_message_size allows {}: trigger an id or a file's name instead of the data, or raise \
             broker.max_message_size",
            event.name(),
            json.len(),
            client.max_message_size
        );
        return Err(exceptions::new::<MessageTooLarge>(message).into());
    }
    let record = Record {
        id,
        name: event.name(),
        triggered_at: now,
        at: options.at,
        delay: options.delay,
        expires: options.expires,
        queue: options.queue.as_deref(),
        key: options.key.as_deref(),
        unique: options.unique.as_deref(),
        headers: Headers::Pairs(&options.headers),
        params: json,
    };
    client.connection.trigger(&record, options.confirm_over(client.confirm)).map_err(|error| client::exception(&error))?;
    buffer.shrink();
    client.buffer.set(buffer);
    result.set_string(id, false).map_err(|error| PhpException::from(error.to_string()))?;
    Ok(())
}

fn type_error(position: usize, name: &str, value: &Zval) -> PhpException {
    let message = format!("Proletarier\\Client::trigger(): Argument #{position} (${name}) must be of type array, {} given", kind(value));
    PhpException::new(message, 0, ce::type_error())
}

/// What a value is, as PHP's own messages say it.
fn kind(value: &Zval) -> String {
    let value = value.dereference();
    if value.is_null() {
        "null".into()
    } else if value.is_bool() {
        "bool".into()
    } else if value.is_long() {
        "int".into()
    } else if value.is_double() {
        "float".into()
    } else if value.is_string() {
        "string".into()
    } else if value.is_array() {
        "array".into()
    } else if let Some(object) = value.object() {
        crate::php::throwable::class_name(object)
    } else {
        "resource".into()
    }
}
