//! `cargo xtask generate`: writes the generated files, or compares them with the checked-in ones.
//!
//! The generated files are checked in, so that a package can be built from a clone with nothing but
//! `install`. The test below fails if one of them is stale.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::files::{Files, root};
use crate::{completions, man};

/// Renders every generated directory: its name and all its files.
fn render() -> Result<[(&'static str, Files); 2], Error> {
    Ok([
        ("completions", completions::render()),
        ("man", man::render()?),
    ])
}

/// Writes the generated files and removes files that are no longer generated.
pub fn write() -> Result<(), Error> {
    for (name, files) in render()? {
        let directory = root().join(name);
        fs::create_dir_all(&directory).map_err(Error::io(&directory))?;
        for obsolete in read(&directory)?
            .keys()
            .filter(|name| !files.contains_key(*name))
        {
            let path = directory.join(obsolete);
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        for (name, content) in files {
            let path = directory.join(name);
            fs::write(&path, content).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// Compares the checked-in files with the generated ones.
///
/// # Errors
/// [`Error::Stale`] names every file that differs, is missing or is not generated.
pub fn check() -> Result<(), Error> {
    let mut stale = Vec::new();
    for (directory, generated) in render()? {
        let found = read(&root().join(directory))?;
        let names: BTreeSet<&String> = found.keys().chain(generated.keys()).collect();
        stale.extend(names.into_iter().filter_map(|name| {
            let problem = match (found.get(name), generated.get(name)) {
                (None, _) => "is missing",
                (_, None) => "is not a generated file",
                (found, generated) if found != generated => "is out of date",
                _ => return None,
            };
            Some(format!("{directory}/{name} {problem}"))
        }));
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(Error::Stale(stale))
    }
}

fn read(directory: &Path) -> Result<Files, Error> {
    let entries = fs::read_dir(directory).map_err(Error::io(directory))?;
    entries
        .map(|entry| {
            let path = entry.map_err(Error::io(directory))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let content = fs::read(&path).map_err(Error::io(&path))?;
            Ok((name.into_owned(), content))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn generated_files_are_up_to_date() {
        if let Err(error) = super::check() {
            panic!("{error}");
        }
    }
}
