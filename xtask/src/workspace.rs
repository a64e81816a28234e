//! Where things are: the root of the checkout, the target directory, the folders of the outside
//! clients.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

/// The checkout that this `cargo xtask` was started in.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the checkout from what `cargo run` tells its child, so that a moved checkout still
    /// works.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let member =
            env::var_os("CARGO_MANIFEST_DIR").context("start this program as `cargo xtask`")?;
        let root = Path::new(&member).parent().context("the xtask crate has no parent folder")?;
        Ok(Self { root: root.to_path_buf() })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub(crate) fn target(&self) -> PathBuf {
        // A relative path is taken from the root, as cargo does when it is started there.
        env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.path("target"), |target| self.root.join(target))
    }

    /// The npm package of the Node clients; its `node_modules` also holds `buf` and the browser
    /// driver.
    pub(crate) fn node(&self) -> PathBuf {
        self.path("tests/node")
    }

    /// The npm package of the browser client, `@fanline/client`.
    pub(crate) fn sdk(&self) -> PathBuf {
        self.path("clients/js")
    }

    /// A command that runs at the root, whatever folder `cargo xtask` was called from.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that started us, so that `cargo +toolchain xtask` stays on its toolchain.
    pub(crate) fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }
}
