//! YAML: names with values as they are written.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::{DEEPEST, EMPTY, Fault, Form, LIST, Location, NULL, Node};

/// So many bytes the aliases of YAML may lead to in all.
const MOST: usize = 64 << 20;
/// A value takes as many beside its own.
const EACH: usize = 64;

pub(super) fn read(text: &str) -> Result<Form, Fault> {
    match Yaml::read(text)? {
        Some((_, Node::Names(names))) => Ok(Form::Named(names)),
        Some((place, Node::Value(_))) => Err(place.wrong("it has one value and no names")),
        None => Err(Location::START.wrong(EMPTY)),
    }
}

/// Reads YAML from the parser's events, which know where they stand and what a value looks like.
struct Yaml<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// What has an anchor, by its number.
    anchors: HashMap<usize, Node>,
    /// How many bytes there are by now.
    count: usize,
}

impl<'t> Yaml<'t> {
    fn read(text: &'t str) -> Result<Option<(Location, Node)>, Fault> {
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
                _ if read.is_some() => return Err(place.wrong("a second document")),
                Event::Scalar(text, ScalarStyle::Plain, ..) if is_null(&text) => {}
                event => read = Some((place, yaml.node(event, place, 0)?)),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Location), Fault> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, of_marker(span.start))),
            Some(Err(error)) => Err(of_marker(*error.marker()).wrong(error.info())),
            None => Ok((Event::StreamEnd, Location::START)),
        }
    }

    fn node(&mut self, event: Event<'t>, place: Location, depth: usize) -> Result<Node, Fault> {
        if depth > DEEPEST {
            return Err(place.wrong("it is too deep"));
        }
        self.count += EACH;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                if style == ScalarStyle::Plain && is_null(&text) {
                    return Err(place.wrong(NULL));
                }
                (Node::Value(text.into_owned()), anchor)
            }
            Event::MappingStart(anchor, _) => (self.names(depth)?, anchor),
            Event::SequenceStart(..) => return Err(place.wrong(LIST)),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| place.wrong("an alias within what it stands for"))?;
                self.count += size_of(&node);
                (node, 0)
            }
            _ => return Err(place.wrong("no value")),
        };
        if self.count > MOST {
            return Err(place.wrong("it has too many values"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn names(&mut self, depth: usize) -> Result<Node, Fault> {
        let (mut names, mut known) = (Vec::new(), HashSet::new());
        loop {
            let (event, place) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(Node::Names(names)),
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err(place.wrong("a name that is no text")),
            };
            if name == "<<" {
                return Err(place.wrong("'<<' is not supported: write the names out"));
            }
            if !known.insert(name.clone()) {
                return Err(place.wrong(format!("'{name}' is there twice")));
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

fn size_of(node: &Node) -> usize {
    match node {
        Node::Value(value) => EACH + value.len(),
        Node::Names(names) => {
            EACH + names
                .iter()
                .map(|(_, _, node)| size_of(node))
                .sum::<usize>()
        }
    }
}
