//! The gRPC contract `fanline.v1`: messages, client and server stubs, and the descriptor set.
//!
//! The contract itself is the proto files in this crate's folder (`fanline/v1/*.proto`), where every message, field and RPC
//! is described; the Rust here is generated from them when the crate is built. What the hub does with it is in `hub/grpc`.
//!
//! Another language gets its stubs from the same folder, which compiles on its own: give it to `protoc`, `buf generate`,
//! `grpcio-tools` or `@grpc/proto-loader` as the include path. A running hub also serves it by reflection (v1 and v1alpha).

/// Messages and stubs of the package `fanline.v1`.
#[expect(
    clippy::allow_attributes,
    reason = "generated code allows what it needs where it needs it"
)]
pub mod v1 {
    tonic::include_proto!("fanline.v1");
}

/// The proto files with all that they import, comments included: an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.bin"));
