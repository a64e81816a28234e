//! From proto files to descriptors, without protoc.

use crate::catalog::CatalogError;
use crate::catalog::source::Source;
use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use std::collections::BTreeMap;
use std::path::Path;

/// The folder; imports start here.
pub(super) const FOLDER: &str = "proto/";

/// Files that can be imported without being in the catalog.
const BUILT_IN: [(&str, &str); 2] = [
    (
        "fanline/catalog/v1/options.proto",
        include_str!("../../../proto/fanline/catalog/v1/options.proto"),
    ),
    ("buf/validate/validate.proto", include_str!("../../../proto/buf/validate/validate.proto")),
];

/// Compiles all files of the folder; complaints go to `errors`. None: there are no such files, or none that compiles.
pub(super) fn compile(source: &Source, errors: &mut Vec<CatalogError>) -> Option<DescriptorPool> {
    let own: BTreeMap<String, String> = source
        .files()
        .filter_map(|(path, text)| Some((path.strip_prefix(FOLDER)?, text)))
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|kind| kind == "proto"))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    if own.is_empty() {
        return None;
    }
    let names: Vec<String> = own.keys().cloned().collect();
    let mut resolver = ChainFileResolver::new();
    resolver.add(InMemory(own));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    let before = errors.len();
    for name in &names {
        if let Err(error) = compiler.open_file(name) {
            errors.push(complaint(source, &error, name));
        }
    }
    // A file that others import is complained of once for each of them.
    errors.sort();
    errors.dedup();
    if errors.len() > before { None } else { Some(compiler.descriptor_pool()) }
}

/// The files of the catalog, and those that are built in where it has none of that name.
struct InMemory(BTreeMap<String, String>);

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let built_in = || BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
        match self.0.get(name).map(String::as_str).or_else(built_in) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

fn complaint(source: &Source, error: &protox::Error, opened: &str) -> CatalogError {
    let file = error.file().unwrap_or(opened);
    // The compiler tells the line in the `file:line:column: message` of its long form only.
    let long = format!("{error:?}");
    let line = long
        .strip_prefix(file)
        .and_then(|rest| rest.strip_prefix(':'))
        .and_then(|rest| rest.split(':').next())
        .and_then(|line| line.parse().ok())
        .unwrap_or(0);
    CatalogError::new(source.place(&format!("{FOLDER}{file}"), line), error.to_string())
}
