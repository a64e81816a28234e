//! What every broker promises, as a suite that runs on any of them.
//!
//! A broker's own tests call [`run`] with a way to start a fresh one.
