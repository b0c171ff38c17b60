//! Splits the examples of the man pages into commands, as a shell does.
//!
//! In scope: quotes, variables set for one command, pipes, redirections and continued lines. Out of
//! scope: substitutions, which no example has.

use std::collections::BTreeMap;

/// One command of a script.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ShellCommand {
    /// The variables that are set for this command alone.
    pub variables: BTreeMap<String, String>,
    /// The name of the command and its arguments.
    pub words: Vec<String>,
}

/// Splits a script into its commands, and leaves out redirections.
pub fn commands(script: &str) -> Vec<ShellCommand> {
    let mut commands = Vec::new();
    let mut command = ShellCommand::default();
    let mut is_target = false;
    for token in tokens(script) {
        match token {
            Token::Word(_) if std::mem::take(&mut is_target) => {}
            Token::Word(word) => match word.split_once('=') {
                Some((name, value)) if command.words.is_empty() => {
                    command.variables.insert(name.to_owned(), value.to_owned());
                }
                _ => command.words.push(word),
            },
            Token::Redirection => is_target = true,
            Token::End => commands.push(std::mem::take(&mut command)),
        }
    }
    commands.push(command);
    commands.retain(|command| !command.words.is_empty());
    commands
}

#[derive(Debug)]
enum Token {
    Word(String),
    /// The next word is the name or number of a file.
    Redirection,
    /// The end of a command.
    End,
}

fn tokens(script: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let script = script.replace("\\\n", " ");
    let mut letters = script.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('>' | '<', None) => {
                let is_number = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit());
                tokens.extend(word.take_if(|word| !is_number(word)).map(Token::Word));
                word = None;
                while letters.next_if(|next| matches!(next, '>' | '&')).is_some() {}
                tokens.push(Token::Redirection);
            }
            ('|' | ';' | '&' | '\n', None) => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::End);
            }
            (' ', None) => tokens.extend(word.take().map(Token::Word)),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    assert!(quote.is_none(), "a quote is not closed: {script}");
    tokens.extend(word.map(Token::Word));
    tokens
}

#[test]
fn a_script_is_split_into_commands_and_words() {
    let script = "A=1 x 'b c' \"\" >> f 2>&1 | y -z \\\n  -w=1 && v\nu 7<e";
    let found = commands(script);
    let words: Vec<_> = found
        .iter()
        .map(|command| command.words.join(","))
        .collect();
    assert_eq!(words, ["x,b c,", "y,-z,-w=1", "v", "u"]);
    assert_eq!(found[0].variables["A"], "1");
}
