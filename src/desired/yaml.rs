//! Reads YAML. A value keeps its spelling, whatever its YAML type.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::{EMPTY, FileEntry, Form, Invalid, LIST, Location, MAX_DEPTH, NULL};

/// The limit of all values with their aliases expanded, in bytes.
const MAX_EXPANDED: usize = 64 << 20;
/// What a value counts in addition to its own bytes.
const OVERHEAD: usize = 64;

pub(super) fn read(text: &str) -> Result<Form, Invalid> {
    match Yaml::read(text)? {
        Some((_, FileEntry::Names(names))) => Ok(Form::Named(names)),
        Some((place, FileEntry::Value(_))) => {
            Err(place.invalid("the file has a single value, but no names"))
        }
        None => Err(Location::START.invalid(EMPTY)),
    }
}

/// Builds entries from the parser's events, which have the place and the spelling of every value.
struct Yaml<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// The entries with an anchor, by its number.
    anchors: HashMap<usize, FileEntry>,
    /// The bytes that were counted against [`MAX_EXPANDED`].
    count: usize,
}

impl<'t> Yaml<'t> {
    fn read(text: &'t str) -> Result<Option<(Location, FileEntry)>, Invalid> {
        let mut yaml = Self {
            events: Parser::new_from_str(text),
            anchors: HashMap::new(),
            count: 0,
        };
        let mut read = None;
        loop {
            let (event, place) = yaml.next()?;
            match event {
                Event::StreamEnd => return Ok(read),
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                _ if read.is_some() => {
                    return Err(place.invalid("a second document is not supported"));
                }
                Event::Scalar(text, ScalarStyle::Plain, ..) if is_null(&text) => {}
                event => read = Some((place, yaml.node(event, place, 0)?)),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Location), Invalid> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, of_marker(span.start))),
            Some(Err(error)) => Err(of_marker(*error.marker()).invalid(error.info())),
            None => Ok((Event::StreamEnd, Location::START)),
        }
    }

    fn node(
        &mut self,
        event: Event<'t>,
        place: Location,
        depth: usize,
    ) -> Result<FileEntry, Invalid> {
        if depth > MAX_DEPTH {
            return Err(place.invalid("the nesting is too deep"));
        }
        self.count += OVERHEAD;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                if style == ScalarStyle::Plain && is_null(&text) {
                    return Err(place.invalid(NULL));
                }
                (FileEntry::Value(text.into_owned()), anchor)
            }
            Event::MappingStart(anchor, _) => (self.names(depth)?, anchor),
            Event::SequenceStart(..) => return Err(place.invalid(LIST)),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node =
                    node.ok_or_else(|| place.invalid("the alias is inside of its own anchor"))?;
                self.count += size_of(&node);
                (node, 0)
            }
            _ => return Err(place.invalid("a value is missing")),
        };
        if self.count > MAX_EXPANDED {
            return Err(place.invalid("there are too many values, or they are too long"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn names(&mut self, depth: usize) -> Result<FileEntry, Invalid> {
        let (mut names, mut known) = (Vec::new(), HashSet::new());
        loop {
            let (event, place) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(FileEntry::Names(names)),
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err(place.invalid("the name is not text")),
            };
            if name == "<<" {
                return Err(
                    place.invalid("merge keys ('<<') are not supported; write the names out")
                );
            }
            if !known.insert(name.clone()) {
                return Err(place.invalid(format!("'{name}' appears twice")));
            }
            let (event, at) = self.next()?;
            let node = self.node(event, at, depth + 1)?;
            names.push((place, name, node));
        }
    }
}

fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

fn of_marker(marker: Marker) -> Location {
    Location::At {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

fn size_of(node: &FileEntry) -> usize {
    match node {
        FileEntry::Value(value) => OVERHEAD + value.len(),
        FileEntry::Names(names) => {
            OVERHEAD
                + names
                    .iter()
                    .map(|(_, _, node)| size_of(node))
                    .sum::<usize>()
        }
    }
}
