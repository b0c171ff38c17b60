//! The command `completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{self, Cli};

/// Additions to the script for fish, in which `clap_complete` omits the values of positionals and completes
/// file names for keys (clap issue 6295).
const FISH: &str = r#"complete -c etcdwatch -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -a "bash elvish fish powershell zsh"
"#;

/// The completion script for a shell.
#[must_use]
pub fn render(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "etcdwatch", &mut script);
    if shell == Shell::Fish {
        script.extend_from_slice(FISH.as_bytes());
    }
    script
}

/// Prints the completion script for a shell.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(typed: &cli::Completions) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&render(typed.shell))?;
    stdout.flush()
}
