//! Compiles the proto files to Rust and to the descriptor set that reflection serves. No `protoc` is needed.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// One for each file of `fanline/v1`.
const FILES: [&str; 7] = [
    "fanline/v1/event.proto",
    "fanline/v1/publisher.proto",
    "fanline/v1/subscriber.proto",
    "fanline/v1/channels.proto",
    "fanline/v1/connections.proto",
    "fanline/v1/commands.proto",
    "fanline/v1/catalog.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=fanline");
    println!("cargo::rerun-if-changed=google");

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    let descriptor_set = compiler.encode_file_descriptor_set();

    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out_dir.join("descriptor_set.bin"), &descriptor_set)?;

    tonic_prost_build::configure()
        // Payloads stay slices of the buffer they were received in.
        .bytes(".")
        // Headers keep one order, so equal events have equal bytes; an empty map costs no hasher.
        .btree_map(".")
        // One `Status` type with the error details that `tonic-types` builds.
        .extern_path(".google.rpc", "::tonic_types::pb")
        .compile_fds(FileDescriptorSet::decode(descriptor_set.as_slice())?)?;
    Ok(())
}
