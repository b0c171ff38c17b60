//! The reasons why a task fails.

use std::io;
use std::path::{Path, PathBuf};

/// The reason why the files could not be generated, or are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A page in `docs/man` has something that cannot be rendered.
    #[error("docs/man/{page}.md:{line}: {problem}")]
    Page {
        /// The name of the page, such as `etcdwatch-get`.
        page: String,
        /// The line, from 1.
        line: usize,
        /// The reason.
        problem: String,
    },
    /// `docs/man` has a file that is not the page of a command.
    #[error("docs/man/{0} is not the page of a command")]
    UnknownPage(String),
    /// `clap_mangen` could not write a section.
    #[error("clap_mangen: {0}")]
    Mangen(io::Error),
    /// Checked-in files differ from the generated ones.
    #[error("{}\nrun `cargo xtask generate` to update the generated files", .0.join("\n"))]
    Stale(Vec<String>),
}

impl Error {
    /// Adds the path to an I/O error.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }
}
