//! Tests of the embedded store: the rules of the port, a model beside it, lost power, damage and full disks.

#![allow(clippy::unwrap_used, reason = "tests")]

mod conforms;
mod reopened;
