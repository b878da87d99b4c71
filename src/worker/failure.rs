//! Provides failures of what listeners threw, or died of.

use crate::exceptions::{TimeoutError, UnrecoverableExceptionInterface};
use crate::php::call::{Ended, LastError};
use crate::php::class;
use crate::php::throwable::Throwable;
use crate::retry_after::{self, RetryAfterException};
use proletarier_core::failure::{Failure, FailureKind};

/// The failure that a call's end is.
#[must_use]
pub fn of(ended: &Ended) -> Failure {
    match ended {
        Ended::Thrown(throwable) => thrown(throwable),
        Ended::Exit(status) => exit(*status),
        Ended::Fatal(error) => fatal(error),
    }
}

/// The failure that something thrown is.
#[must_use]
pub fn thrown(throwable: &Throwable) -> Failure {
    let kind = if throwable.is(class::entry::<UnrecoverableExceptionInterface>()) {
        FailureKind::Unrecoverable
    } else if throwable.is(class::entry::<TimeoutError>()) {
        FailureKind::TimedOut
    } else {
        FailureKind::Thrown
    };
    let mut failure = Failure::new(kind, throwable.class(), throwable.message());
    failure.file = throwable.file();
    failure.line = throwable.line();
    failure.trace = throwable.trace();
    if throwable.is(class::entry::<RetryAfterException>()) {
        failure.retry_after = throwable.object().and_then(retry_after::micros);
    }
    failure.capped()
}

/// The failure that exit() is.
#[must_use]
pub fn exit(status: i32) -> Failure {
    Failure::new(FailureKind::Ended, "exit", format!("exit() was called, with status {status}"))
}

/// The failure that a fatal error is.
#[must_use]
pub fn fatal(error: &LastError) -> Failure {
    let mut failure = Failure::new(FailureKind::Ended, "Fatal error", error.message.clone());
    failure.file.clone_from(&error.file);
    failure.line = error.line;
    failure.capped()
}
