//! The files in `completions/`: what `etcdwatch completions SHELL` prints, for every shell.

use clap::ValueEnum as _;
use clap_complete::{Generator as _, Shell};

use crate::files::Files;

/// Renders the completion script of every shell, under the name that the shell looks for.
pub fn render() -> Files {
    let render = etcdwatch::commands::completions::render;
    Shell::value_variants()
        .iter()
        .map(|shell| (shell.file_name("etcdwatch"), render(*shell)))
        .collect()
}
