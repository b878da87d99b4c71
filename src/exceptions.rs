//! Defines what Proletarier throws, and what listeners may throw at it.

use crate::declare_class;
use crate::php::class::{self, Declared};
use crate::php::spl;
use crate::retry_after::RetryAfterException;
use ext_php_rs::builders::ClassBuilder;
use ext_php_rs::error::Result;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::ClassFlags;
use ext_php_rs::zend::ce;

declare_class! {
    /// Everything that Proletarier throws implements this.
    ExceptionInterface = "Proletarier\\Exception\\ExceptionInterface",
    |builder: ClassBuilder| builder.flags(ClassFlags::Interface).implements((ce::throwable, "\\Throwable"))
}
declare_class! {
    /// For listeners: what implements it makes a failure final.
    UnrecoverableExceptionInterface = "Proletarier\\Exception\\UnrecoverableExceptionInterface",
    |builder: ClassBuilder| builder.flags(ClassFlags::Interface).implements((ce::throwable, "\\Throwable"))
}

macro_rules! exceptions {
    ($($(#[$doc:meta])* $type:ident = $name:literal, $parent:expr;)*) => {
        $(declare_class! {
            $(#[$doc])*
            $type = $name,
            |builder: ClassBuilder| builder.extends($parent).implements(class::info::<ExceptionInterface>())
        })*

        fn register_plain() -> Result<()> {
            $(class::register::<$type>()?;)*
            Ok(())
        }
    };
}

exceptions! {
    /// A name or option of trigger() that is not allowed.
    InvalidArgument = "Proletarier\\Exception\\InvalidArgument", (spl::invalid_argument, "\\InvalidArgumentException");
    /// Params that JSON can't say.
    Unencodable = "Proletarier\\Exception\\Unencodable", (spl::invalid_argument, "\\InvalidArgumentException");
    /// Params over `broker.max_message_size`.
    MessageTooLarge = "Proletarier\\Exception\\MessageTooLarge", (spl::length, "\\LengthException");
    /// No broker answered in time.
    BrokerUnavailable = "Proletarier\\Exception\\BrokerUnavailable", (spl::runtime, "\\RuntimeException");
    /// The broker has too much waiting.
    Overloaded = "Proletarier\\Exception\\Overloaded", (spl::runtime, "\\RuntimeException");
    /// The broker refused the event.
    Rejected = "Proletarier\\Exception\\Rejected", (spl::runtime, "\\RuntimeException");
    /// A setting or listener entry that is wrong.
    Configuration = "Proletarier\\Exception\\Configuration", (spl::invalid_argument, "\\InvalidArgumentException");
    /// Another daemon runs.
    AlreadyRunning = "Proletarier\\Exception\\AlreadyRunning", (spl::runtime, "\\RuntimeException");
    /// A listener ran over its time. An \Error, so that `catch (\Exception)` of old code doesn't swallow it.
    TimeoutError = "Proletarier\\Exception\\TimeoutError", (ce::error, "\\Error");
}

declare_class! {
    /// For listeners: no further attempt can help.
    Unrecoverable = "Proletarier\\Exception\\Unrecoverable",
    |builder: ClassBuilder| builder
        .extends((spl::runtime, "\\RuntimeException"))
        .implements(class::info::<ExceptionInterface>())
        .implements(class::info::<UnrecoverableExceptionInterface>())
}

/// Registers them all. Only while the module starts.
///
/// # Errors
/// When PHP refuses one.
pub fn register() -> Result<()> {
    class::register::<ExceptionInterface>()?;
    class::register::<UnrecoverableExceptionInterface>()?;
    register_plain()?;
    class::register::<Unrecoverable>()?;
    class::register::<RetryAfterException>()?;
    crate::retry_after::declare_property();
    Ok(())
}

/// An exception of this class, to be returned from a method.
#[must_use]
pub fn new<T: Declared>(message: impl Into<String>) -> PhpException {
    // PHP takes the message as a C string.
    PhpException::new(message.into().replace('\0', "\\0"), 0, class::entry::<T>())
}
