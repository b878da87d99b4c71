//! Defines `Proletarier\Client`, the native client. Its trigger() is in [`crate::trigger`].

use crate::exceptions::{self, BrokerUnavailable, Configuration, InvalidArgument, Overloaded, Rejected};
use crate::interfaces::{self, ClientInterface};
use crate::json_value;
use crate::php::class;
use crate::php::json::Buffer;
use crate::trigger;
use ext_php_rs::builders::ClassBuilder;
use ext_php_rs::class::RegisteredClass;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::{ClassFlags, MethodFlags};
use ext_php_rs::prelude::*;
use ext_php_rs::types::ZendHashTable;
use proletarier_core::settings::{self, ClientSettings};
use proletarier_engine::client::{self, ClientError, ClientOptions, Confirm};
use std::cell::Cell;
use std::time::Duration;

/// Hands events to the broker. The connection is made by the first trigger(), is shared by all clients of the process, and ends with it.
#[php_class]
#[php(name = "Proletarier\\Client")]
pub struct Client {
    pub(crate) connection: client::Client,
    pub(crate) confirm: Confirm,
    pub(crate) max_message_size: usize,
    /// Taken while an event is encoded: what encoding calls may trigger through this client again.
    pub(crate) buffer: Cell<Buffer>,
    timeout: Duration,
}

/// Registers the class: as `ModuleBuilder::class` would, and with what that has no words for. Only while the module starts.
///
/// # Errors
/// When PHP refuses it.
pub fn register() -> ext_php_rs::error::Result<()> {
    let mut builder = ClassBuilder::new(Client::CLASS_NAME).method(trigger::method(), MethodFlags::Public);
    for (method, flags) in Client::method_builders() {
        builder = builder.method(method, flags);
    }
    builder
        .implements(class::info::<ClientInterface>())
        .flags(ClassFlags::Final)
        .object_override::<Client>()
        .registration(|class, arguments| {
            Client::get_metadata().set_ce(class);
            Client::get_metadata().set_arg_info(arguments);
        })
        .register()?;
    let registered = Client::get_metadata().ce();
    interfaces::trigger_types(registered);
    class::set_parameter(registered, "__construct", 1, class::ARRAY, Some(c"[]"));
    Ok(())
}

#[php_impl]
impl Client {
    /// Reads the options; connects nothing yet.
    #[php(constructor, optional = connect)]
    pub fn __construct(connect: Option<&str>, options: Option<&ZendHashTable>) -> PhpResult<Self> {
        let options = match options {
            Some(options) => json_value::from_array(options, "")?,
            None => serde_json::Value::Null,
        };
        let settings = ClientSettings::from_options(connect, &options)
            .map_err(|error| exceptions::new::<Configuration>(error.to_string()))?;
        Ok(Self {
            connection: client::Client::new(ClientOptions::from(&settings)),
            confirm: level(settings.confirm),
            max_message_size: settings.max_message_size,
            buffer: Cell::default(),
            timeout: settings.timeout,
        })
    }

    /// Waits until every event of this process is confirmed or in the spool; tells how many are neither when the time is over.
    #[php(optional = timeout)]
    pub fn flush(&self, timeout: Option<f64>) -> PhpResult<i64> {
        /// A day: longer than any request, and no overflow.
        const MOST: f64 = 86_400.0;
        let timeout = match timeout {
            None => self.timeout,
            Some(seconds) if (0.0..=MOST).contains(&seconds) => Duration::from_secs_f64(seconds),
            Some(seconds) => {
                return Err(exceptions::new::<InvalidArgument>(format!(
                    "timeout: {seconds} is not allowed: give seconds from 0 to {MOST}, or null"
                )));
            }
        };
        Ok(i64::try_from(self.connection.flush(timeout)).unwrap_or(i64::MAX))
    }

    /// How many events of this process went to the spool.
    pub fn spooled(&self) -> i64 {
        i64::try_from(client::spooled()).unwrap_or(i64::MAX)
    }
}

/// The same level in the engine's words.
pub(crate) fn level(confirm: settings::Confirm) -> Confirm {
    match confirm {
        settings::Confirm::None => Confirm::None,
        settings::Confirm::Deferred => Confirm::Deferred,
        settings::Confirm::Accepted => Confirm::Accepted,
        settings::Confirm::Synced => Confirm::Synced,
    }
}

/// The exception that an error of the engine's is to PHP.
pub(crate) fn exception(error: &ClientError) -> PhpException {
    let message = error.to_string();
    match error {
        ClientError::Unavailable { .. } | ClientError::Unspooled { .. } | ClientError::Connect { .. } => {
            exceptions::new::<BrokerUnavailable>(message)
        }
        ClientError::Overloaded(_) | ClientError::SpoolFull { .. } => exceptions::new::<Overloaded>(message),
        ClientError::Rejected(_) => exceptions::new::<Rejected>(message),
    }
}
