//! Provides trigger() of the native client. Written by hand, without `ext-php-rs`'s argument parser, because it has about a microsecond.

mod event;
mod options;
mod params;

use crate::client::{self, Client};
use crate::exceptions::{self, InvalidArgument, MessageTooLarge};
use crate::interfaces;
use crate::php::arguments;
use crate::request_end;
use crate::shown;
use event::Event;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{ExecuteData, ce, run_handler};
use options::Options;
use proletarier_core::record::{Headers, Record};
use proletarier_engine::client as engine;
use std::panic::AssertUnwindSafe;

/// The method as PHP registers it.
pub fn method() -> FunctionBuilder<'static> {
    interfaces::trigger_signature(FunctionBuilder::new("trigger", handler))
}

extern "C" fn handler(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| {
        let (client, given) = arguments::of_method::<Client>(call);
        let Some(client) = client else {
            return PhpException::new(
                "Proletarier\\Client::trigger(): the client's constructor was not called".into(),
                0,
                ce::error(),
            )
            .throw();
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

/// Laminas' habit is trigger($name, $target, $params).
fn no_params(given: &Zval) -> PhpException {
    let given = shown::value(given);
    invalid(format!(
        "params is {given}: an event for another process has no target, give the params as 2nd argument and the options as 3rd"
    ))
}

fn trigger(client: &Client, given: &[Zval], result: &mut Zval) -> Result<(), Refused> {
    let [event, rest @ ..] = given else {
        let message = "Proletarier\\Client::trigger() expects at least 1 argument, 0 given".to_owned();
        return Err(PhpException::new(message, 0, ce::argument_count_error()).into());
    };
    let params = match rest.first().map(Zval::dereference) {
        None => None,
        Some(params) if params.is_array() => Some(params),
        Some(other) => return Err(no_params(other).into()),
    };
    let event = Event::of(event.dereference(), params)?;
    let now = proletarier_engine::wall().0;
    let options = match rest.get(1).map(Zval::dereference) {
        None => Options::default(),
        Some(options) => match options.array() {
            Some(options) if options.is_empty() => Options::default(),
            Some(options) => Options::read(options, now)?,
            None => return Err(invalid(format!("options is {}: give a map", shown::value(options))).into()),
        },
    };
    let mut id = [0; 36];
    let id = match &options.id {
        Some(id) => id.as_str(),
        None => engine::new_id(now, &mut id),
    };
    let mut buffer = client.buffer.take();
    let json = params::encode(&mut buffer, event.params())?;
    if json.len() > client.max_message_size {
        let message = format!(
            "params are {} bytes of JSON: at most {} are allowed (broker.max_message_size)",
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
        priority: options.priority,
        unique_for: options.unique_for,
        headers: Headers::Pairs(&options.headers),
        params: json,
    };
    let triggered = client.connection.trigger(&record, options.asked(client.confirm));
    request_end::tell_lost();
    let in_its_place = triggered.map_err(|error| client::exception(&error))?;
    let id = in_its_place.as_deref().unwrap_or(id);
    buffer.shrink();
    client.buffer.set(buffer);
    result.set_string(id, false).map_err(|error| PhpException::from(error.to_string()))?;
    Ok(())
}
