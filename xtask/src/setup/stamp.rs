//! Whether an installed folder still is what its list of packages asks for.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// A copy of the list, kept inside the folder once all of it is installed.
///
/// The text is compared and not the time: a fresh clone or a switched branch sets times at will.
pub(crate) struct Stamp {
    path: PathBuf,
    list: String,
}

impl Stamp {
    pub(crate) fn new(list: &Path, installed: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(list)
            .with_context(|| format!("{} cannot be read", list.display()))?;
        Ok(Self { path: installed.join(".installed-from"), list: text })
    }

    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|installed| installed == self.list)
    }

    pub(crate) fn set(&self) -> anyhow::Result<()> {
        fs::write(&self.path, &self.list)
            .with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_list_makes_the_folder_stale() {
        let folder = std::env::temp_dir().join(format!("fanline-stamp-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let list = folder.join("list");
        fs::write(&list, "one 1.0").unwrap();

        let stamp = Stamp::new(&list, &folder).unwrap();
        assert!(!stamp.is_current());
        stamp.set().unwrap();
        assert!(stamp.is_current());

        fs::write(&list, "one 1.1").unwrap();
        assert!(!Stamp::new(&list, &folder).unwrap().is_current());
        fs::remove_dir_all(&folder).unwrap();
    }
}
