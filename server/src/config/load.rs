//! Loading: defaults, then the file, then the environment, each laid over the one before.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use super::Config;
use super::checker::Checker;
use super::document::Node;
use super::error::{ConfigError, ConfigErrors};
use super::section::{Key, Section as _};
use super::settings::Settings;
use super::tokens::ClientKey;
use super::{environment, reader};

/// Where a configuration comes from, so that it can be read again.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The file, if there is one, with the environment of this process laid over it.
    File(Option<PathBuf>),
    /// Ready-made text with the environment of this process laid over it.
    Preset {
        /// The text.
        text: String,
        /// What complaints call it.
        name: &'static str,
    },
}

impl Origin {
    /// Where relative file names start.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Origin::File(Some(path)) => path.parent().unwrap_or(Path::new("")),
            Origin::File(None) | Origin::Preset { .. } => Path::new(""),
        }
    }

    /// Reads it as it is now.
    ///
    /// # Errors
    /// The file cannot be read, or something in it or in the environment is not as it should be.
    pub(crate) fn load(&self) -> Result<Loaded, ConfigError> {
        match self {
            Origin::File(path) => Loaded::from_file(path.as_deref()),
            Origin::Preset { text, name } => Loaded::from_preset(text, name),
        }
    }
}

/// A configuration that was read and not yet checked.
#[derive(Debug)]
pub(crate) struct Loaded {
    config: Config,
    tree: Node,
    /// Where relative file names start: the folder of the configuration file.
    folder: PathBuf,
}

impl Loaded {
    /// The file, if there is one, with the environment of this process laid over it.
    ///
    /// # Errors
    /// The file cannot be read, or holds something that it should not.
    pub(crate) fn from_file(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            let name = "without --config, in the environment";
            return Self::from_text("", name, Path::new(""), environment());
        };
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            let sentence = if error.kind() == io::ErrorKind::NotFound {
                format!("{name}: there is no such file; `fanline config default > {name}` makes one to start from")
            } else {
                format!("{name}: the file cannot be read: {error}")
            };
            ConfigError::new(None, sentence)
        })?;
        Self::from_text(&text, &name, path.parent().unwrap_or(Path::new("")), environment())
    }

    /// Ready-made text with the environment of this process laid over it.
    ///
    /// # Errors
    /// Something in the environment is not as it should be.
    pub(crate) fn from_preset(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::from_text(text, name, Path::new(""), environment())
    }

    /// Text and variables as given.
    ///
    /// # Errors
    /// Something in them is not as it should be.
    pub(crate) fn from_text(
        text: &str,
        name: &str,
        folder: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let sections: Vec<_> = Config::KEYS.iter().map(Key::name).collect();
        let mut tree = Node::from_toml(text, name)?;
        environment::overlay(&mut tree, variables, &sections, Config::KEYS_OF_SECTIONS)?;
        let config = reader::read(&tree)?;
        Ok(Loaded { config, tree, folder: folder.to_owned() })
    }

    /// Checks all values and turns them into what the hub is built of.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigErrors> {
        let mut checker = Checker::new(&self.tree, &self.folder);
        let settings = self.config.check(&mut checker);
        let warnings = checker.finish()?;
        Ok(Settings { warnings, ..settings })
    }

    /// The first key of clients that can sign, for minting tokens that this hub takes.
    pub(crate) fn client_key(&self) -> Option<ClientKey> {
        self.config.tokens.client_key()
    }

    /// The sections as they were read.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Where relative file names start.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Variables that are not UTF-8 cannot be ours: all our names and values are.
fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
