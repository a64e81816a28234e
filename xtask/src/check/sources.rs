//! House rules that neither the compiler nor clippy knows. Each is a plain function from text to
//! complaints.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;

/// Folders that hold what others wrote or what tools built.
const FOREIGN_FOLDERS: [&str; 4] = ["target", "node_modules", ".git", "__pycache__"];

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let mut complaints = Vec::new();
    for path in files(workspace.root())? {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_npm_lock = path.file_name().is_some_and(|name| name == "package-lock.json");
        if extension != Some("rs") && !is_npm_lock {
            continue;
        }
        let text = read(&path)?;
        let found = if is_npm_lock { npm_lock(&text) } else { rust(&text) };
        complaints
            .extend(found.into_iter().map(|complaint| format!("{}: {complaint}", path.display())));
    }
    complaints.extend(versions(
        &read(&workspace.path("Cargo.toml"))?,
        &read(&workspace.path("docs/dependencies.md"))?,
    ));
    if !complaints.is_empty() {
        bail!("{}", complaints.join("\n"));
    }
    Ok(())
}

/// A module says what it is for, and a test is run or deleted.
fn rust(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push("opens without a `//!` that says what it is for".to_owned());
    }
    for (line, number) in text.lines().zip(1..) {
        if ["#[ignore", "#[should_panic"]
            .iter()
            .any(|attribute| line.trim_start().starts_with(attribute))
        {
            complaints.push(format!(
                "line {number}: a test asserts its outcome and always runs: no {}",
                line.trim()
            ));
        }
    }
    complaints
}

/// A lock file that names hosts ties everybody to the registry of whoever wrote it.
fn npm_lock(text: &str) -> Vec<String> {
    let remedy = "names hosts: set `omit-lockfile-registry-resolved=true` and lock again";
    text.lines()
        .filter(|line| line.contains("\"resolved\":"))
        .take(1)
        .map(|_| remedy.to_owned())
        .collect()
}

/// Every dependency of the version table has its line of reasons, and no line outlives its
/// dependency.
fn versions(manifest: &str, reasons: &str) -> Vec<String> {
    let table = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let outside =
        table.take_while(|line| !line.starts_with('[')).filter(|line| !line.contains("path = "));
    let used: BTreeSet<&str> =
        outside.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    let rows = reasons.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let explained: BTreeSet<&str> = rows.map(|(name, _)| name).collect();
    let missing = used
        .difference(&explained)
        .map(|name| format!("docs/dependencies.md: `{name}` has no line"));
    let stale = explained
        .difference(&used)
        .map(|name| format!("docs/dependencies.md: `{name}` is not used"));
    missing.chain(stale).collect()
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("{} cannot be listed", folder.display()))?
    {
        let entry = entry?;
        let is_foreign = FOREIGN_FOLDERS.iter().any(|name| entry.file_name() == *name);
        if !entry.file_type()?.is_dir() {
            found.push(entry.path());
        } else if !is_foreign {
            found.extend(files(&entry.path())?);
        }
    }
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_needs_its_header() {
        assert!(rust("//! Counts sheep.\n").is_empty());
        assert_eq!(rust("use std::fmt;\n").len(), 1);
    }

    #[test]
    fn an_ignored_test_is_found_with_its_line() {
        let complaints = rust("//! Tests.\n#[test]\n    #[ignore = \"slow\"]\n");
        assert!(complaints[0].starts_with("line 3:"), "{complaints:?}");
    }

    #[test]
    fn a_lock_file_names_no_host() {
        assert_eq!(npm_lock("\"resolved\": \"somewhere\"").len(), 1);
        assert!(npm_lock("\"integrity\": \"sha512\"").is_empty());
    }

    #[test]
    fn version_table_and_reasons_agree_both_ways() {
        let manifest = "[workspace.dependencies]\nours = { path = \"ours\" }\n\
                        bytes = \"1\"\nhttp = \"1\"\n\n[profile.dev]\ndebug = 1\n";
        let reasons = "| `bytes` | shared buffers |\n| `gone` | once needed |\n";
        let complaints = versions(manifest, reasons);
        assert_eq!(
            complaints,
            [
                "docs/dependencies.md: `http` has no line",
                "docs/dependencies.md: `gone` is not used"
            ]
        );
    }
}
