//! The catalog of `fanline dev`, in the binary. Its files, in `asyncapi/demo`, are an example of how a catalog is written.

use crate::catalog::Source;

/// Its files.
#[must_use]
pub fn demo() -> Source {
    macro_rules! files {
        ($($path:literal),+ $(,)?) => {
            [$(($path, include_str!(concat!("../demo/", $path)))),+]
        };
    }
    Source::of(
        "demo",
        files![
            "catalog.toml",
            "jsonschema/message.json",
            "jsonschema/ticker.quote.json",
            "jsonschema/typing.json",
            "proto/orders/v1/orders.proto",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use std::path::Path;

    #[test]
    fn it_is_a_good_catalog() {
        let catalog = Catalog::load(&demo()).unwrap_or_else(|errors| panic!("{errors}"));
        for channel in catalog.channels() {
            assert!(catalog.events_of(&channel.id).count() > 0, "{} has no event", channel.id);
        }
        assert!(catalog.events().all(|event| !event.examples.is_empty()));
    }

    #[test]
    fn the_binary_has_all_files_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
        let read = Source::folder(&folder).unwrap();
        assert_eq!(read.files().collect::<Vec<_>>(), demo().files().collect::<Vec<_>>());
    }
}
