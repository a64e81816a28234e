//! The broker on real Redis servers, started here on free ports.

mod conformance;
mod faults;
mod harness;
