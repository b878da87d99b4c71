//! Tests of the spool: its files, and lost power.
//!
//! `PROLETARIER_SEED` runs one history of lost power alone, and `PROLETARIER_CUT` one end of it.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../core/tests/simulator/dice.rs"]
#[allow(dead_code, reason = "others use more of it")]
mod dice;
mod files;
mod platter;
mod power;
