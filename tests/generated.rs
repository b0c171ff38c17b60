//! `completions/` and `man/` are what the definition of the command line renders.
//!
//! In scope: that the checked-in files are up to date, and that what the man pages say by hand
//! holds: variables, exit codes, examples. Out of scope: what the commands do (`it`).
//!
//! One command rewrites the files: `ETCDWATCH_BLESS=1 cargo test --test generated`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test fails"
)]

#[path = "generated/man.rs"]
mod man;
#[path = "generated/pages.rs"]
mod pages;
#[path = "generated/shell.rs"]
mod shell;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser as _, ValueEnum as _};
use etcdwatch::cli::Cli;
use etcdwatch::commands::completions;
use etcdwatch::config::{self, Surroundings};
use etcdwatch::exit::Exit;

use pages::{Block, PAGES};

/// With this variable set, the files are written instead of compared.
const BLESS: &str = "ETCDWATCH_BLESS";
const REMEDY: &str = "ETCDWATCH_BLESS=1 cargo test --test generated";

/// Files of one directory: what they are called, and what is in them.
type Files = BTreeMap<String, Vec<u8>>;

/// Compares a directory with what it should hold, or writes it.
fn hold_equal(directory: &str, expected: &Files) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(directory);
    if std::env::var_os(BLESS).is_some() {
        write(&path, expected);
    }
    let found = read(&path);
    let names: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let wrong: Vec<String> = names
        .into_iter()
        .filter_map(|name| {
            let what = match (found.get(name), expected.get(name)) {
                (None, _) => "is missing",
                (_, None) => "does not belong there",
                (Some(found), Some(expected)) if found != expected => "is out of date",
                _ => return None,
            };
            Some(format!("{directory}/{name} {what}"))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\nThis command rewrites it: {REMEDY}",
        wrong.join("\n")
    );
}

fn read(directory: &PathBuf) -> Files {
    let Ok(entries) = fs::read_dir(directory) else {
        return Files::new();
    };
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn write(directory: &PathBuf, files: &Files) {
    fs::create_dir_all(directory).unwrap();
    for name in read(directory).keys() {
        if !files.contains_key(name) {
            fs::remove_file(directory.join(name)).unwrap();
        }
    }
    for (name, content) in files {
        fs::write(directory.join(name), content).unwrap();
    }
}

#[test]
fn the_completions_are_what_the_definition_renders() {
    let files = clap_complete::Shell::value_variants()
        .iter()
        .map(|shell| {
            use clap_complete::Generator as _;
            (shell.file_name("etcdwatch"), completions::render(*shell))
        })
        .collect();
    hold_equal("completions", &files);
}

#[test]
fn the_man_pages_are_what_the_definition_renders() {
    let files = PAGES
        .iter()
        .map(|page| (format!("{}.1", page.name()), man::render(page).into_bytes()))
        .collect();
    hold_equal("man", &files);
}

#[test]
fn every_command_has_a_page() {
    let commands = Cli::command();
    let commands: BTreeSet<&str> = commands
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let pages: BTreeSet<&str> = PAGES.iter().filter_map(|page| page.command).collect();
    assert_eq!(pages, commands);
}

#[test]
fn the_environment_section_names_the_variables_that_are_read_and_no_other() {
    let rooms = [
        include_str!("../src/settings/mod.rs"),
        include_str!("../src/config/credentials.rs"),
        include_str!("../src/config/surroundings.rs"),
    ];
    let code = rooms.map(|room| room.split("#[cfg(test)]").next().unwrap());
    let read = code.map(names_in).into_iter().flatten().collect();
    let _: &BTreeSet<&str> = &read;
    assert!(read.contains("ETCDCTL_ENDPOINTS"));
    let documented: Vec<&str> = pages::ENVIRONMENT.iter().map(|(names, _)| *names).collect();
    assert_eq!(names_in(&documented.join(" ")), read);
}

/// Every `ETCDCTL_*` in a text.
fn names_in(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !(letter.is_ascii_uppercase() || letter == '_'))
        .filter(|word| word.len() > "ETCDCTL_".len() && word.starts_with("ETCDCTL_"))
        .collect()
}

#[test]
fn the_exit_status_section_has_every_code_and_what_it_means() {
    let page = man::render(&PAGES[0]);
    let section = page.split(".SH ").find_map(|section| {
        let (title, text) = section.split_once('\n')?;
        (title == "\"EXIT STATUS\"").then_some(text)
    });
    let section = section.expect("a section EXIT STATUS");
    for exit in Exit::ALL {
        let entry = man::render_entry(&exit.code().to_string(), exit.meaning());
        assert!(section.contains(&entry), "{exit:?}");
    }
}

#[test]
fn every_example_is_a_command_line_that_is_accepted() {
    for example in PAGES.iter().flat_map(|page| page.examples) {
        let runs = shell::commands(&example.lines.join("\n"))
            .into_iter()
            .filter(|command| command.words[0] == "etcdwatch");
        let mut count = 0;
        for run in runs {
            count += 1;
            let cli = Cli::try_parse_from(&run.words)
                .unwrap_or_else(|error| panic!("{:?}: {error}", example.lines));
            let around = Surroundings {
                variable: &|name| run.variables.get(name).map(OsString::from),
                ask: &|user| Ok(format!("password of {user}")),
                stdout_is_terminal: false,
                stderr_is_terminal: false,
                stdout_is_pipe: false,
            };
            let settings = config::resolve(&cli, around);
            assert!(settings.is_ok(), "{:?}: {settings:?}", example.lines);
        }
        assert!(count > 0, "{:?} runs etcdwatch", example.lines);
    }
}

#[test]
fn lines_of_examples_and_records_fit_on_a_terminal_of_80_columns() {
    let listed = PAGES
        .iter()
        .flat_map(|page| page.description.iter().chain(page.blocks()))
        .flat_map(|block| match block {
            Block::Lines(lines) => *lines,
            _ => &[],
        });
    let examples = PAGES
        .iter()
        .flat_map(|page| page.examples)
        .flat_map(|example| example.lines);
    for line in listed.chain(examples) {
        // The text is indented by 7 columns, and such lines by another 4.
        assert!(line.chars().count() <= 80 - 7 - 4, "{line}");
    }
}
