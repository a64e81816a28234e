//! `fanline asyncapi`: documents from a catalog, for a pipeline or a static host; and what is wrong with those of others.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use fanline_asyncapi::document::{Document, Perspective, Readers, Settings, TryIt};
use fanline_asyncapi::limits::{DOCUMENT_BYTES, FINDINGS};
use fanline_asyncapi::validate::{Severity, validate};
use fanline_asyncapi::{Catalog, demo, site, typescript};
use fanline_core::Limits;

use super::catalog_place;
use crate::cli::{AsyncApi, CatalogFolder, Described, Format, Language, Output};
use crate::config::server_of_url;
use crate::docs::facts;

pub(super) fn run(command: AsyncApi) -> Result<ExitCode> {
    match command {
        AsyncApi::Generate { described, view, format, output } => {
            let document = document(&described, view)?;
            let text = match format.unwrap_or_else(|| format_of(output.out.as_deref())) {
                Format::Json => document.json(),
                Format::Yaml => document.yaml(),
            };
            deliver(&text, &output)
        }
        AsyncApi::Types { catalog, internal, lang: Language::Ts, output } => {
            deliver(&typescript(&read(&catalog)?, readers(internal)), &output)
        }
        AsyncApi::Export { described, out } => {
            export(&document(&described, Perspective::Hub)?, &out)
        }
        AsyncApi::Validate { files } => validate_all(&files),
    }
}

fn document(described: &Described, perspective: Perspective) -> Result<Document> {
    let catalog = read(&described.catalog)?;
    let server = |flag: &str, url: &str| {
        server_of_url(url).with_context(|| {
            format!("{flag}: `{url}` must be http:// or https:// with a host, without a path")
        })
    };
    let public = server("--public-url", &described.public_url)?;
    let grpc = server("--grpc-url", &described.grpc_url)?;
    let facts = facts(public, grpc, Limits::default(), TryIt::Off);
    let readers = readers(described.internal);
    Ok(Document::new(Some(&catalog), &facts, Settings { perspective, readers }))
}

fn readers(internal: bool) -> Readers {
    if internal { Readers::Internal } else { Readers::Public }
}

/// The catalog that a command is about.
fn read(folder: &CatalogFolder) -> Result<Catalog> {
    let source = match folder.demo {
        true => demo(),
        false => catalog_place::folder(&folder.catalog)?,
    };
    Ok(Catalog::load(&source)?)
}

fn format_of(out: Option<&Path>) -> Format {
    match out.and_then(Path::extension).and_then(|extension| extension.to_str()) {
        Some("json") => Format::Json,
        _ => Format::Yaml,
    }
}

/// Writes a text where it is wanted, or says whether it is there already.
fn deliver(text: &str, output: &Output) -> Result<ExitCode> {
    let Some(path) = &output.out else {
        io::stdout().write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let shown = path.display();
    if !output.check {
        fs::write(path, text).with_context(|| format!("{shown} cannot be written"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let current = fs::read_to_string(path).is_ok_and(|there| there == text);
    if current {
        writeln!(io::stdout(), "{shown} is current")?;
        Ok(ExitCode::SUCCESS)
    } else {
        eprintln!("{shown} is stale: run the same command without --check, and commit it");
        Ok(ExitCode::FAILURE)
    }
}

fn export(document: &Document, folder: &Path) -> Result<ExitCode> {
    let shown = folder.display();
    fs::create_dir_all(folder).with_context(|| format!("{shown} cannot be made"))?;
    for (name, text) in site::export(document) {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    writeln!(io::stdout(), "{shown} holds the site: give it to any web server")?;
    Ok(ExitCode::SUCCESS)
}

/// Judges documents one after the other, and says what is found like a compiler does.
fn validate_all(files: &[PathBuf]) -> Result<ExitCode> {
    let mut errors = 0;
    for file in files {
        let shown = if is_standard_input(file) {
            "standard input".into()
        } else {
            file.display().to_string()
        };
        let text = read_document(file).with_context(|| format!("{shown} cannot be read"))?;
        let findings = validate(&text);
        for finding in &findings {
            writeln!(io::stdout(), "{shown}:{finding}")?;
        }
        if findings.len() == FINDINGS {
            writeln!(io::stdout(), "{shown}: no more than {FINDINGS} findings are shown")?;
        }
        let wrong = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if wrong == 0 {
            writeln!(io::stdout(), "{shown}: good")?;
        }
        errors += wrong;
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

fn read_document(file: &Path) -> Result<String> {
    let source: Box<dyn Read> = if is_standard_input(file) {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(file)?)
    };
    let mut text = String::new();
    // One byte more than allowed tells that there is more.
    source.take(DOCUMENT_BYTES + 1).read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= DOCUMENT_BYTES, "it is longer than {DOCUMENT_BYTES} bytes");
    Ok(text)
}
