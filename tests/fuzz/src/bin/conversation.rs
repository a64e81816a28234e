//! Fuzzes `conversation`; built by `cargo xtask fuzz`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fanline_fuzz::run("conversation", bytes));

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("this is built for fuzzing: cargo xtask fuzz conversation");
}
