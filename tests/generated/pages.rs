//! What the man pages say beyond the definition of the command line.
//!
//! In scope: the words, as data. Out of scope: how they become roff (`man`).
//!
//! In the texts, `` `as typed` `` is bold and `*a placeholder*` italic.

use etcdwatch::exit::Exit;

/// A man page.
pub struct Page {
    /// The subcommand; none for `etcdwatch` itself.
    pub command: Option<&'static str>,
    pub description: &'static [Block],
    /// Sections between the options and EXIT STATUS.
    pub sections: &'static [Section],
    /// The codes that matter most after this command; `etcdwatch` itself lists all.
    pub exits: &'static [Exit],
    pub examples: &'static [Example],
    /// Beyond the pages of `etcdwatch`.
    pub see_also: &'static [&'static str],
}

impl Page {
    /// What `man` is asked for.
    pub fn name(&self) -> String {
        self.command.map_or_else(
            || "etcdwatch".to_owned(),
            |command| format!("etcdwatch-{command}"),
        )
    }

    /// What the sections are made of.
    pub fn blocks(&self) -> impl Iterator<Item = &'static Block> {
        self.sections.iter().flat_map(|section| section.blocks)
    }
}

/// A section with a title of its own.
pub struct Section {
    pub title: &'static str,
    pub blocks: &'static [Block],
}

/// A part of a section.
pub enum Block {
    /// A paragraph.
    Text(&'static str),
    /// Terms, and what is to be said of each.
    List(&'static [(&'static str, &'static str)]),
    /// Lines as they are.
    Lines(&'static [&'static str]),
}

use Block::{Lines, List, Text};

/// Command lines, and what they are good for.
pub struct Example {
    pub explanation: &'static str,
    pub lines: &'static [&'static str],
}

/// The variables that are read, in the order in which a user would look for them.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "ETCDCTL_ENDPOINTS",
        "The endpoints, separated by commas, as for `--endpoints`.",
    ),
    (
        "ETCDCTL_ENDPOINT, ETCDCTL_PEERS",
        "The same, as older tools name it. The first of the three that is set and not empty \
         counts.",
    ),
    ("ETCDCTL_API", "`2` or `3`, as for `--api`."),
    (
        "ETCDCTL_DIAL_TIMEOUT",
        "How long a connection may take, as for `--connect-timeout`.",
    ),
    (
        "ETCDCTL_COMMAND_TIMEOUT",
        "How long `get`, `set` and `rm` may take, as for `--timeout`. It has no effect on `watch` \
         and `replay`.",
    ),
    (
        "ETCDCTL_USER",
        "The user, as *NAME*:*PASSWORD*, or the name alone.",
    ),
    (
        "ETCDCTL_USERNAME",
        "The user, where `ETCDCTL_USER` is not set.",
    ),
    (
        "ETCDCTL_PASSWORD",
        "The password, where the user is given without one.",
    ),
    (
        "ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY",
        "Files for TLS, as for `--cacert`, `--cert` and `--key`. Where one is set, an endpoint \
         without a scheme is `https://`.",
    ),
    (
        "ETCDCTL_CA_FILE, ETCDCTL_CERT_FILE, ETCDCTL_KEY_FILE",
        "The same, under the names that etcd's v2 tools use.",
    ),
    (
        "ETCDCTL_INSECURE_SKIP_TLS_VERIFY",
        "`true`, as for `--insecure-skip-tls-verify`.",
    ),
    (
        "NO_COLOR",
        "Where it is set and not empty, `--color auto` uses no colours.",
    ),
    (
        "TERM",
        "Where it is `dumb`, `--color auto` uses no colours.",
    ),
];

/// Every page; that of `etcdwatch` itself comes first.
pub const PAGES: &[Page] = &[
    ETCDWATCH,
    GET,
    SET,
    RM,
    WATCH,
    REPLAY,
    CHECK,
    DOCTOR,
    COMPLETIONS,
];

const ETCDWATCH: Page = Page {
    command: None,
    description: &[
        Text(
            "`etcdwatch` reads, writes and watches the keys of an etcd cluster. A watch delivers \
             every event once and in order, or declares the gap: through dropped connections, \
             restarted servers, bursts and slow readers.",
        ),
        Text(
            "Each command has a page of its own, such as `etcdwatch-watch`(1); its options are \
             listed by `--help` too.",
        ),
        Text(
            "It speaks etcd's v2 API over HTTP, which etcd 3.4 and 3.5 serve when they are started \
             with `--enable-v2` and 3.6 has no more, and v3, through the JSON gateway that etcd has \
             from 3.3 on. Both have the same commands, records and promises. \
             Variables that are not UTF-8 are refused, never ignored.",
        ),
        Text(
            "Unless `--api` or `ETCDCTL_API` says otherwise, v2 is spoken where the server has it \
             on, else v3; and v3, with a notice, where v2 does not have the key and v3 does: so `rm` \
             removes it there, `set` with a condition finds it there, and `set` without one makes it \
             in v2. That is decided once a run, and `--verbose` says how. What both have is shown as v2 has it. \
             Where v3 is what you use, `export ETCDCTL_API=3` saves all doubt, and a request.",
        ),
    ],
    sections: &[
        Section {
            title: "KEYS",
            blocks: &[
                Text(
                    "By v2 a key is a path such as `/app/colour`. A missing leading `/` is added; \
                     `//` and a trailing `/` are folded. The segments `.` and `..` are refused: \
                     etcd would take them for another key. A segment that begins with `_` is \
                     hidden: it is neither listed nor watched from above.",
                ),
                Text(
                    "By v3 a key is taken as it is typed, and nothing is hidden: `app` and `/app` \
                     are two keys. `--recursive` is the key and all below it, after a `/`; \
                     `--prefix` all that begins so, and `--prefix ''` all keys there are. A key \
                     that is not UTF-8 is shown, and can't be typed in this version.",
                ),
            ],
        },
        Section {
            title: "OUTPUT",
            blocks: &[
                Text(
                    "Standard output has records and nothing else. Notices, errors and the spinner \
                     are on standard error; the spinner only where that is a terminal and standard \
                     output is no pipe, whose reader may write to the same terminal. `--quiet` \
                     leaves nothing but errors there.",
                ),
                Text(
                    "With `--output text` a record is a line, its fields separated by TABs. So \
                     that this is always so, and data never drives a terminal, the fields are \
                     escaped:",
                ),
                List(&[
                    (
                        "\\\\ \\t \\r \\n",
                        "Backslash, TAB, carriage return and line feed.",
                    ),
                    (
                        "\\xNN",
                        "Other ASCII controls, and bytes that are not UTF-8.",
                    ),
                    (
                        "\\u{NNNN}",
                        "C1 controls, bidirectional controls and line separators.",
                    ),
                ]),
                Text(
                    "On a terminal the fields of records are aligned and coloured. `etcdwatch get` \
                     of one key prints the value's bytes as they are, unless on a terminal. What \
                     `get` lists is not aligned.",
                ),
                Text(
                    "With `--output json` a record is a JSON object on a line of its own, as \
                     etcd's v2 API serves it. The records are described in `etcdwatch-watch`(1). \
                     On a terminal, what could drive it is escaped as JSON has it. Errors and \
                     notices are JSON then too, one object a line on standard error:",
                ),
                Lines(&[
                    "{\"error\":{\"kind\":\"keyNotFound\",\"message\":\"key not found: /x\",",
                    " \"exit\":1,\"errorCode\":100,\"cause\":\"/x\",\"index\":7}}",
                    "{\"notice\":{\"kind\":\"reconnecting\",\"message\":\"...\"}}",
                ]),
                Text(
                    "Here the first is broken in two; it is one line. `errorCode`, `cause` and \
                     `index` are etcd's own, where etcd itself said no; by v3 a key that is not \
                     there and a condition that does not hold have the codes of v2. With exit code 5, \
                     `lost` and `oldest` say what was lost and what can be had. A command line \
                     that can't be used is reported in the same form, with the kind `usage`. The lines \
                     of `--verbose` stay plain text.",
                ),
            ],
        },
        Section {
            title: "ENDPOINTS",
            blocks: &[Text(
                "Endpoints are tried in the order given, and the next one is taken where one does \
                 not answer. They are to be of one cluster: an endpoint of another cluster than \
                 the first that answered is left out, with a notice. Redirects are not followed. \
                 A proxy is used only where `--proxy` names one, with `http://`.",
            )],
        },
        Section {
            title: "TLS",
            blocks: &[
                Text(
                    "An endpoint with `https://` is spoken to by TLS, 1.2 or newer; one without a \
                     scheme is, where a file is named by `--cacert`, `--cert` or `--key`, or by \
                     their variables. Without `--cacert` the authorities of the system are trusted. \
                     The files are PEM; keys are PKCS#8, PKCS#1 or SEC1, without a passphrase, and \
                     may stand in the file of the certificate. Files that are replaced are read \
                     again for the next connection.",
                ),
                Text(
                    "A server whose certificate is no good is named with the reason, and counts as \
                     one that can't be reached (exit 3). One that asks for another certificate of \
                     the client has refused (exit 4). `--insecure-skip-tls-verify` is told every \
                     time, also with `--quiet`.",
                ),
            ],
        },
        Section {
            title: "USERS",
            blocks: &[
                Text(
                    "`--user` *NAME* asks for the password on the terminal, unless `--password-file` \
                     or `ETCDCTL_PASSWORD` has it. The file holds one line, and is refused where \
                     anybody but its owner can read it; what root lends to a group counts as one's \
                     own. A password in `--user` works, and is warned of: other users of the machine \
                     can see it.",
                ),
                Text(
                    "By v2 the password goes along with each request. By v3 it is sent for a token, \
                     which goes along; one that is refused is replaced, in the middle of a stream \
                     without a gap. Neither is sent to any host but the endpoints: redirects are \
                     never followed. Neither is shown: `--verbose` has `PASSWORD` and `TOKEN` in \
                     its place.",
                ),
                Text(
                    "A watch of `/app` with `--recursive` asks for all from `/app` up to `/app0`, \
                     which the user's role must be allowed to read: in v3 with a grant on `/app` \
                     with `--prefix`, in v2 with one on `/app*`. Without permission to read the whole store, \
                     the end of a `replay` over v3 can't be proven unless the last revision of \
                     the store is in scope. It is then declared as a gap with the cause `unproven`.",
                ),
            ],
        },
        Section {
            title: "SIGNALS",
            blocks: &[Text(
                "SIGINT, SIGTERM and SIGHUP end a run after the records already received were \
                 written; a second one ends it at once. A reader of standard output that does not \
                 read on delays the end of `watch` and `replay` by a second at most, and does not \
                 delay their `--timeout`. SIGINT \
                 and SIGHUP that are ignored when the program starts, as under `nohup`(1), stay \
                 ignored.",
            )],
        },
    ],
    exits: &[],
    examples: &[
        Example {
            explanation: "Write a key, and read it:",
            lines: &[
                "etcdwatch set /app/colour green",
                "etcdwatch get /app/colour",
            ],
        },
        Example {
            explanation: "Follow everything below `/app` until Ctrl-C:",
            lines: &["etcdwatch watch --stream -r /app"],
        },
        Example {
            explanation: "Which keys were removed, as far back as the server remembers (by v3 with \
                          `--prefix ''` for `-r /`):",
            lines: &[
                "etcdwatch replay -r / --from-index oldest -o json |",
                "  jq -r 'select(.action | IN(\"delete\",\"expire\",\"compareAndDelete\")) |",
                "    .node.key'",
            ],
        },
        Example {
            explanation: "Name a cluster once, for every command that follows:",
            lines: &[
                "export ETCDCTL_ENDPOINTS=http://a:2379,http://b:2379,http://c:2379",
                "etcdwatch get --quorum /app/colour",
            ],
        },
        Example {
            explanation: "See what is sent, as `curl`(1) commands on standard error:",
            lines: &["etcdwatch -v get -r /app"],
        },
    ],
    see_also: &["`etcd`(1)", "`etcdctl`(1)", "`curl`(1)", "`jq`(1)"],
};

const GET: Page = Page {
    command: Some("get"),
    description: &[
        Text(
            "Prints the value of *KEY* and a newline. On a terminal the value is escaped, as \
             `etcdwatch`(1) describes; elsewhere its bytes are printed as etcd gives them.",
        ),
        Text(
            "Of a directory, its children are printed, one key a line; the key of a directory ends \
             in `/`. With `--recursive` it is all below it, one key a line with a TAB and the \
             value, which is empty for a directory. Hidden keys, which have a segment that begins \
             with `_`, are not listed.",
        ),
        Text(
            "Of several *KEY*s each is read in turn and printed as key, TAB and value. One that is \
             not there makes the exit code 1, and the others are printed all the same.",
        ),
        Text("With `-o json` it is etcd's reply, one object on one line; children are in `nodes`."),
        Text(
            "In v3 a key is taken as it is typed. One that is not there, with others below it, is \
             shown as a directory; with `--recursive` one that is there comes before those below \
             it. With `-o json` the reply has the shape of v2's, with `version` and `lease` added; \
             what is not UTF-8 is in `keyBase64` and `valueBase64`. What is read is what a majority \
             has.",
        ),
        Text(
            "The member that is asked answers with what it knows, which may be older than what \
             was last written elsewhere. With `--quorum` a majority must agree, and without one \
             the command fails.",
        ),
    ],
    sections: &[],
    exits: &[Exit::Done, Exit::No, Exit::Unreachable, Exit::Refused],
    examples: &[
        Example {
            explanation: "Print a value:",
            lines: &["etcdwatch get /app/colour"],
        },
        Example {
            explanation: "All keys and values below a directory, in order:",
            lines: &["etcdwatch get -r --sort /app"],
        },
        Example {
            explanation: "Do something only where a key is missing, and not where etcd is:",
            lines: &[
                "etcdwatch -q get /app/colour >/dev/null 2>&1",
                "[ $? -eq 1 ] && echo 'there is no colour'",
            ],
        },
        Example {
            explanation: "The index of a key's last change, for `set --prev-index`:",
            lines: &[
                "etcdwatch get --quorum /app/colour -o json |",
                "  jq .node.modifiedIndex",
            ],
        },
    ],
    see_also: &[],
};

const SET: Page = Page {
    command: Some("set"),
    description: &[
        Text(
            "Writes *VALUE* to *KEY* and prints the record of the write: index, action, key and \
             value; with `-o json` etcd's reply. Directories on the way to the key are made.",
        ),
        Text(
            "A *VALUE* of `-` is read from standard input, bytes as they are, the last newline \
             included. etcd itself replaces what is not UTF-8 when it is read back.",
        ),
        Text(
            "With `--in-order`, *KEY* is a directory, and the value goes to a new key in it whose \
             name is chosen by etcd: each is later in order than the one before.",
        ),
        Text(
            "In v3 `--ttl` is a lease of its own, the bytes of the value are kept as they are, and \
             there are no directories.",
        ),
    ],
    sections: &[
        Section {
            title: "CONDITIONS",
            blocks: &[
                Text(
                    "With `--create`, `--update`, `--prev-value` or `--prev-index`, etcd checks \
                     and writes in one step. Where the condition does not hold, nothing is written \
                     and the exit code is 1. With `--prev-value` and `--prev-index` both must \
                     hold.",
                ),
                Text(
                    "`--prev-value \"\"` is a condition as well: the value must be empty. etcd \
                     can't check that itself, so the key is read first, and then written only if \
                     it has not changed since. That is safe, and takes two requests.",
                ),
                Text(
                    "`--swap-with-value` and `--swap-with-index` are other names for \
                     `--prev-value` and `--prev-index`.",
                ),
            ],
        },
        Section {
            title: "TIME TO LIVE",
            blocks: &[Text(
                "With `--ttl` the key is removed when that time is over, and watches see the \
                 action `expire`; by v3 it is `delete`, and can't be told from another removal. etcd \
                 counts whole seconds, at least one. A later `set` without `--ttl` makes the key \
                 permanent again.",
            )],
        },
        UNKNOWN_OUTCOME,
    ],
    exits: &[
        Exit::Done,
        Exit::No,
        Exit::Unreachable,
        Exit::Refused,
        Exit::Unknown,
        Exit::TimedOut,
    ],
    examples: &[
        Example {
            explanation: "Write a value:",
            lines: &["etcdwatch set /app/colour green"],
        },
        Example {
            explanation: "Write a file's content:",
            lines: &["etcdwatch set /app/config - <config.json"],
        },
        Example {
            explanation: "Take a lock that goes away by itself, if nobody has it:",
            lines: &["etcdwatch set --create --ttl 30s /locks/backup \"$HOSTNAME\""],
        },
        Example {
            explanation: "Change a value only if it is still the one that was read, at index 7:",
            lines: &[
                "etcdwatch get --quorum /app/n -o json | jq .node.modifiedIndex",
                "etcdwatch set --prev-index 7 /app/n 42",
            ],
        },
        Example {
            explanation: "A value that begins with a hyphen, and an empty one:",
            lines: &[
                "etcdwatch set /app/offset -5",
                "etcdwatch set /app/note \"\"",
            ],
        },
        Example {
            explanation: "A value that is also an option comes after `--`:",
            lines: &["etcdwatch set /app/flag -- -v"],
        },
        Example {
            explanation: "Make a directory, and put jobs into it in order:",
            lines: &[
                "etcdwatch set --dir /jobs",
                "etcdwatch set --in-order /jobs 'resize 17.png'",
            ],
        },
    ],
    see_also: &[],
};

const UNKNOWN_OUTCOME: Section = Section {
    title: "UNKNOWN OUTCOME",
    blocks: &[
        Text(
            "A write is tried on another endpoint only while nothing of it has been sent. One that \
             was sent and not answered ends with exit code 7: the connection broke, a server in \
             between gave up, or the members could not agree in time. The same holds where \
             `--timeout` runs out after the write was sent; exit code 124 means that nothing was \
             sent.",
        ),
        Text(
            "With exit code 7 the write may have been carried out, may be carried out later, or \
             never. It is not sent again. Read the key with `get --quorum` before the next attempt; \
             with `--prev-index` that can't undo what came in between.",
        ),
    ],
};

const RM: Page = Page {
    command: Some("rm"),
    description: &[
        Text(
            "Removes *KEY* and prints the record of the removal: index, action and key; with `-o \
             json` etcd's reply, in which `prevNode` has what was removed.",
        ),
        Text(
            "A directory is removed with `--recursive`, together with all below it, or with \
             `--dir` if it is empty. Watches see one event for a directory and not one for each \
             key in it.",
        ),
        Text(
            "In v3 there is one record for each key that was removed, all of one index. \
             `--recursive` removes the key and all below it; `--prefix` all that begins with it, \
             also longer names.",
        ),
    ],
    sections: &[
        Section {
            title: "CONDITIONS",
            blocks: &[
                Text(
                    "With `--prev-value` or `--prev-index`, etcd checks and removes in one step. \
                     Where the condition does not hold, nothing is removed and the exit code is 1. \
                     With `--prev-value \"\"` the value must be empty; the key is read first, and \
                     then removed only if it has not changed since.",
                ),
                Text(
                    "`--with-value` and `--with-index` are other names for `--prev-value` and \
                     `--prev-index`.",
                ),
            ],
        },
        UNKNOWN_OUTCOME,
    ],
    exits: &[
        Exit::Done,
        Exit::No,
        Exit::Unreachable,
        Exit::Refused,
        Exit::Unknown,
        Exit::TimedOut,
    ],
    examples: &[
        Example {
            explanation: "Remove a key:",
            lines: &["etcdwatch rm /app/colour"],
        },
        Example {
            explanation: "Remove a directory with all below it:",
            lines: &["etcdwatch rm -r /app"],
        },
        Example {
            explanation: "Give a lock back, but only one's own:",
            lines: &["etcdwatch rm --prev-value \"$HOSTNAME\" /locks/backup"],
        },
    ],
    see_also: &[],
};

const SEVERAL: Block = Text(
    "Of several *KEY*s there is one order and one position. They are watched as one: etcd is asked \
     for all below the directory that lies above them all, or in v3 for all that begins as all of \
     them do, and what is not wanted is left out. So that directory must be readable; and in v2 \
     none of several keys may have a segment below it that begins with `_`, which etcd hides from \
     there.",
);

const FILTERS: Section = Section {
    title: "FILTERS",
    blocks: &[
        Text(
            "`--only`, `--match` and `--changed` say which records are printed; those of etcdwatch's \
             own, such as `gap`, always are. What is not printed has happened all the same: the \
             position and the checkpoint move past it. `--count` and `--idle-timeout` are about \
             what is printed.",
        ),
        Text(
            "In a pattern of `--match`, `*` and `?` stay within a segment, `**` does not, and there \
             are `[abc]` and `{a,b}`. It is about the whole key; one that does not begin with a `/` \
             may begin at any segment. With `--changed` a write of the same value is left out; where the \
             value before is not known it is printed.",
        ),
    ],
};

const READING: Section = Section {
    title: "READING",
    blocks: &[
        Text(
            "`--timestamps` puts the time at which a record was received before it, or into JSON as \
             `receivedAt`. With `--diff`, where a value has several lines or is a JSON object or \
             list, what became of it is printed below the record as a unified diff; JSON is laid \
             out for that, a field a line in the order of the names, and where only its layout \
             differs, the record is as without `--diff`. Those lines are indented by four spaces, and are the only \
             ones that are no record.",
        ),
        Text(
            "`--format` takes a template in which `{index}`, `{action}`, `{key}`, `{value}`, `{prev}` \
             and `{time}` stand for fields, `{{` and `}}` for braces, and `\\t`, `\\n`, `\\r`, `\\0` \
             and `\\\\` for what they do in `printf`(1). A line break is added, unless it ends in one \
             or in a `\\0`. Fields are escaped, so that a line stays one; a template with a `\\0` \
             has them as they are where standard output is no terminal. Of a gap `{value}` has the \
             range.",
        ),
    ],
};

const WATCH: Page = Page {
    command: Some("watch"),
    description: &[
        Text(
            "Waits for an event on *KEY*, prints it and exits with 0. With `--stream` it prints \
             every event until it is stopped, through dropped connections and restarted servers. \
             The key need not exist.",
        ),
        Text(
            "A watch sees *KEY* itself, and with `--recursive` all below it. It begins with what \
             happens next, or with `--from-index` at a place in history. An index counts the \
             changes of the whole store; one that lies ahead of the server is waited for, with a \
             notice. `--rev` is another name for `--from-index`.",
        ),
        Text(
            "With `--snapshot` the present state is printed first, then the record `synced`, then \
             every event after it, with no gap between the two.",
        ),
        Text(
            "In v3 *KEY* is taken as it is typed; with `--recursive` it is that key and all that has \
             it and a `/` before, and with `--prefix` all that begins with it.",
        ),
        SEVERAL,
        Text(
            "Where no endpoint can be reached at the start, the exit code is 3. Once one has \
             answered, lost connections no longer end the watch: it tries the endpoints again and \
             again, ever more slowly, and a notice says so. `--timeout` ends it after a time, \
             `--count` after so many events.",
        ),
    ],
    sections: &[
        Section {
            title: "WAITING",
            blocks: &[
                Text(
                    "With `--until` the state is read first, and the watch goes on from it, with no \
                     gap between: a write before, at or after the start of the command is seen. It \
                     ends with 0 once *KEY* is as it should be:",
                ),
                List(&[
                    (
                        "exists",
                        "It is there. In v2 a directory is, also one that came with a key below it, unless \
                         that has a segment that begins with `_`, which etcd tells no watch above of.",
                    ),
                    ("absent", "It is not there."),
                    ("value=V", "It has this value; V may be empty."),
                    ("value!=V", "It has a value, and another one."),
                    (
                        "value~REGEX",
                        "It has a value that matches somewhere. The syntax is that of the Rust crate \
                         `regex`.",
                    ),
                ]),
                Text(
                    "The record that made it so is printed: the event, or `get` where it was so at the \
                     start, or `synced` where nothing is there. With `--stream` every event before it \
                     is printed, too. Of several keys each has to be so at the same time. With \
                     `--recursive` a key exists where anything below it does; conditions on values are \
                     about the key alone. Past `--timeout` the exit code is 124, and a notice says how it \
                     is instead. A gap is made good by reading the state again, with a notice.",
                ),
            ],
        },
        RECORDS,
        FILTERS,
        READING,
        Section {
            title: "COMMANDS",
            blocks: &[
                Text(
                    "With `--stream`, what follows `--` is run for each record instead of printing it: \
                     directly, never through a shell, one at a time and in order. The record is on its \
                     standard input as JSON, and in its environment are `ETCD_WATCH_ACTION`, \
                     `ETCD_WATCH_KEY`, `ETCD_WATCH_VALUE` and `ETCD_WATCH_MODIFIED_INDEX`, unquoted. What \
                     an environment can't hold, a NUL or more than 128 KiB, is left out with a notice. It \
                     is run for the state, and for `gap`, `reset` and `synced`, which have no value; by `latest` and \
                     `restart` for those only where nothing else runs or waits.",
                ),
                Text(
                    "`--exec-mode each` runs it for every record. `latest` runs it for the newest one once \
                     the command that runs has ended. `restart` sends the command that runs SIGTERM, and \
                     all that it has started, kills what is left after `--grace`, and runs it for the \
                     newest. With `--debounce` it is run only once nothing new has come for so long.",
                ),
                Text(
                    "Where it ends with another code than 0 or by a signal, `--on-exec-failure stop` ends \
                     with exit code 123, `continue` goes on with a notice, and `retry` runs it again after \
                     1 s, 2 s and so on up to a minute. The checkpoint moves only past what was run and \
                     ended well; so what failed is run again by the next run, also in the middle of a \
                     transaction. By `continue` what failed is passed over once a later one has ended \
                     well. Where etcdwatch itself is killed, what its command was told last may be told \
                     again, and while the command still runs.",
                ),
                Text(
                    "What it leaves running in the background is left alone, but by `restart`. While it \
                     runs, `--idle-timeout` does not.",
                ),
                Text(
                    "It is in a process group of its own. A signal that ends etcdwatch is passed on to it \
                     and all that it has started, and its end is waited for; what is left after `--grace` \
                     is killed, as it is at a second signal.",
                ),
            ],
        },
        Section {
            title: "DELIVERY",
            blocks: &[
                DELIVERED,
                GAPS,
                ON_GAP,
                ON_GAP_LIST,
                ON_GAP_MEMORY,
                QUIET,
                QUIET_V3,
                NO_EVENTS,
                NO_EVENTS_LIST,
                SLOW_READERS,
            ],
        },
        CHECKPOINTS,
        FRESHNESS,
    ],
    exits: &[
        Exit::Done,
        Exit::Unreachable,
        Exit::Refused,
        Exit::Lost,
        Exit::NotEtcd,
        Exit::Output,
        Exit::CommandFailed,
        Exit::TimedOut,
        Exit::CommandUnrunnable,
        Exit::CommandNotFound,
        Exit::Interrupted,
    ],
    examples: &[
        Example {
            explanation: "Wait until a key changes, half a minute at most:",
            lines: &["etcdwatch watch --timeout 30s /app/colour"],
        },
        Example {
            explanation: "Follow all below a directory, with what was there before:",
            lines: &["etcdwatch watch --stream -r --prev /app"],
        },
        Example {
            explanation: "Go on after index 1107, and accept no loss:",
            lines: &["etcdwatch watch --stream -r --after-index 1107 --on-gap fail /app"],
        },
        Example {
            explanation: "The state of a directory, and then what changes in it:",
            lines: &["etcdwatch watch --stream -r --snapshot /app"],
        },
        Example {
            explanation: "Keep a log of all events, over restarts of this command too:",
            lines: &[
                "etcdwatch watch --stream -r --checkpoint app.checkpoint \\",
                "  -o json /app >>app.jsonl",
            ],
        },
        Example {
            explanation: "Wait for a migration to be over, ten minutes at most:",
            lines: &["etcdwatch watch /app/migration --until value=done --timeout 10m"],
        },
        Example {
            explanation: "Run a command for each event, and go on where it was after a restart:",
            lines: &[
                "etcdwatch watch --stream -r /app/config \\",
                "  --checkpoint config.checkpoint -- ./apply",
            ],
        },
        Example {
            explanation: "Reload once after each burst of changes:",
            lines: &[
                "etcdwatch watch --stream -r /nginx --exec-mode latest --debounce 1s \\",
                "  -- nginx -s reload",
            ],
        },
        Example {
            explanation: "What becomes of the ports, with the time:",
            lines: &[
                "etcdwatch watch --stream -r /app --match port --changed \\",
                "  --format '{time} {key}: {prev} -> {value}'",
            ],
        },
        Example {
            explanation: "Print a message when three jobs are in:",
            lines: &["etcdwatch watch --stream -r --count 3 /jobs && echo 'three of them'"],
        },
    ],
    see_also: &["`jq`(1)"],
};

const REPLAY: Page = Page {
    command: Some("replay"),
    description: &[
        Text(
            "Prints the events of *KEY* that the server has in its history, from `--from-index` or \
             `--after-index` on, and exits with 0. With `--recursive` it is the key and all below \
             it. The end is the server's index at the start, which a majority must agree on, or \
             `--to-index` where that is earlier.",
        ),
        Text(
            "With `--from-index oldest` it begins with the oldest that the server then serves, \
             however fast history moves. A start that lies ahead of the server has nothing to \
             replay: the exit code is 0, and a notice says so. `--rev` is another name for \
             `--from-index`.",
        ),
        Text(
            "Where it meets a gap, `--on-gap continue` prints the gap and what history still has, \
             up to the end. `resync` and `diff` print the state of now instead, whatever \
             `--to-index` says, and end there.",
        ),
        Text(
            "In v3 history is what was not compacted yet, `oldest` is the first revision after that, \
             and the keys are those that `etcdwatch-watch`(1) tells of.",
        ),
        Text(
            "With `--follow` it goes on as `etcdwatch watch --stream` does, with no gap between \
             the two, until it is stopped. `--on-gap` is `fail` then too, unless given.",
        ),
        SEVERAL,
    ],
    sections: &[
        RECORDS,
        FILTERS,
        READING,
        Section {
            title: "DELIVERY",
            blocks: &[
                DELIVERED,
                GAPS,
                ON_GAP,
                ON_GAP_LIST,
                ON_GAP_MEMORY,
                Text(
                    "A start that is older than history is such a loss. With `--on-gap fail`, the \
                     default here, the message names the oldest index that is to be had.",
                ),
                NO_EVENTS,
                NO_EVENTS_LIST,
                SLOW_READERS,
            ],
        },
        CHECKPOINTS,
    ],
    exits: &[
        Exit::Done,
        Exit::Unreachable,
        Exit::Refused,
        Exit::Lost,
        Exit::NotEtcd,
        Exit::Output,
        Exit::TimedOut,
    ],
    examples: &[
        Example {
            explanation: "All that the server remembers of a directory:",
            lines: &["etcdwatch replay -r /app --from-index oldest"],
        },
        Example {
            explanation: "What happened between two indexes:",
            lines: &["etcdwatch replay -r / --from-index 1000 --to-index 1100"],
        },
        Example {
            explanation: "History first, and then what happens:",
            lines: &["etcdwatch replay -r /app --from-index oldest --follow"],
        },
        Example {
            explanation: "How often each key was changed:",
            lines: &[
                "etcdwatch replay -r / --from-index oldest |",
                "  cut -f 3 | sort | uniq -c",
            ],
        },
    ],
    see_also: &["`jq`(1)"],
};

const RECORDS: Section = Section {
    title: "RECORDS",
    blocks: &[
        Text(
            "With `--output text` an event is a line of TAB-separated fields: index, action, key \
             and value, and with `--prev` the previous value. The key of a directory ends in `/`. \
             Values that are not there are empty. Fields are escaped as `etcdwatch`(1) describes. \
             With columns for the TABs:",
        ),
        Lines(&[
            "7     set     /app/colour  green",
            "8     delete  /app/colour",
            "1108  gap     /app         10-1108  possible  historyCleared",
            "1108  reset   /app",
            "1108  get     /app/",
            "1108  synced  /app",
        ]),
        Text(
            "With `--output json` an event is an object on a line of its own, as etcd's v2 API \
             serves it; here broken to fit:",
        ),
        Lines(&[
            "{\"action\":\"set\",\"node\":{\"key\":\"/app/colour\",\"value\":\"green\",",
            " \"modifiedIndex\":7,\"createdIndex\":7}}",
            "{\"action\":\"gap\",\"lost\":{\"from\":10,\"to\":1108},\"certain\":false,",
            " \"cause\":\"historyCleared\",\"index\":1108}",
            "{\"action\":\"reset\",\"index\":1108}",
            "{\"action\":\"get\",\"origin\":\"snapshot\",\"index\":1108,",
            " \"node\":{\"key\":\"/app\",\"dir\":true,",
            " \"modifiedIndex\":7,\"createdIndex\":7}}",
            "{\"action\":\"synced\",\"index\":1108}",
        ]),
        Text(
            "There is also `prevNode`, where the key was there before, and in nodes `dir`, \
             `expiration` and `ttl`. In v3 a put is `set` and a delete `delete`, nodes have the \
             `version` and the `lease` of the key, and indexes are revisions: all events of a \
             transaction have one index. The node of a delete has neither value nor `createdIndex`; \
             `prevNode` has both. A key or value that is not UTF-8 is given as `keyBase64` or \
             `valueBase64`. The position of a record is `index` where it has one, else \
             `node.modifiedIndex`. Positions never go back, except after a gap that has no end.",
        ),
        Text("The actions are:"),
        List(&[
            ("set", "A value was written, whatever was there."),
            ("create", "A key was created that was not there."),
            ("update", "A key that was there was written."),
            ("delete", "A key was removed."),
            ("expire", "A key's time to live was over."),
            ("compareAndSwap", "A value was written on a condition."),
            ("compareAndDelete", "A key was removed on a condition."),
        ]),
        Text("These records are etcdwatch's own:"),
        List(&[
            (
                "gap",
                "Events were lost. It always stands before anything later than the gap. `lost` has \
                 the first and the last index that are not covered. It is `certain` that a key \
                 watched has changed unseen, or only `possible`.",
            ),
            (
                "reset",
                "What was known of the keys is to be forgotten; the state follows.",
            ),
            (
                "get",
                "A key or directory of the state, with the origin `snapshot`. They come in the \
                 order of the keys.",
            ),
            (
                "synced",
                "The state, or the differences to it, are complete.",
            ),
            (
                "set, delete",
                "With the origin `resync`: the difference to the last known state, after a gap \
                 with `--on-gap diff`. With the origin `expand`: a key below a directory that is \
                 removed.",
            ),
            (
                "status",
                "With `--status`: the `state` of the watch is `live`, `stale` or `reconnecting`, \
                 with the `endpoint` and, where there is one, the `cause`.",
            ),
        ]),
        Text(
            "The origin is shown in JSON only. The records that are etcdwatch's own don't count \
             for `--count`.",
        ),
        Text("The cause of a gap is one of:"),
        List(&[
            (
                "historyCleared",
                "The server no longer keeps that part of its history (v2).",
            ),
            ("compacted", "That part of the history was compacted (v3)."),
            (
                "clusterChanged",
                "The endpoint now answers for another cluster.",
            ),
            (
                "indexRewound",
                "The index of the store went back, another event is where the last one was, or the \
                 key of that event is not as it was left: the store was restored or rebuilt.",
            ),
            (
                "memberUntrusted",
                "The only member that can be reached took a snapshot from the leader, and its \
                 history may hide events.",
            ),
            (
                "unproven",
                "It could not be proven that these events are all there were; none is known to be lost. \
                 A `replay` ends with this gap where no event shows that it has come to its end: over \
                 v3 for a user without read permission on the whole store; with the v2 API behind a \
                 proxy that breaks a half-closed connection, or does not pass the half-close on. The record is printed with \
                 `--on-gap fail`, too. A checkpoint stays at what is proven, unless `--on-gap resync` or \
                 `diff` reads the state.",
            ),
        ]),
        Text(
            "After `clusterChanged` and `indexRewound`, indexes begin anew, and the gap has no end: `10-` in text, \
             `\"to\":null` in JSON.",
        ),
    ],
};

const DELIVERED: Block = Text(
    "Every event is printed once and in the order of the indexes, or a gap is declared before \
     anything later. Nothing is lost silently: not when connections drop, servers restart, one \
     endpoint takes over from another, or a server leaves events out.",
);

const GAPS: Block = Text(
    "etcd's history holds the last 1,000 indexes of the whole store, every key counted. What \
     happened longer ago, or during an outage in which more was written, can't be known: that is \
     a gap. In v3 history is kept until it is compacted. What is done about a gap is chosen with \
     `--on-gap`.",
);

const ON_GAP: Block =
    Text("`--on-gap` is `resync` with `watch --stream` and `--until`, and otherwise `fail`:");

const ON_GAP_LIST: Block = List(&[
    (
        "resync",
        "Prints the gap, `reset`, the state as a majority has it, and `synced`, and goes on.",
    ),
    (
        "diff",
        "Prints the gap, the differences to the last known state, and `synced`, and goes on. \
         Where no state from before the gap is known, it does what `resync` does: that is so when \
         the gap lies before the state that is read at the start, as where a checkpoint or \
         `--from-index` is too old.",
    ),
    (
        "continue",
        "Prints the gap, and goes on with what is still served.",
    ),
    ("fail", "Ends with exit code 5 and names what was lost."),
]);

const ON_GAP_MEMORY: Block = Text(
    "`--on-gap diff` and `--expand` read the state at the start and keep it in memory as long as \
     they run: every key and value that is watched. After a gap, `diff` holds the old state \
     and the new one while it compares them. `resync` and `--snapshot` hold the state only while \
     it is printed. A removal that took place before the state was read, as one out of \
     history, is not expanded.",
);

const QUIET: Block = Text(
    "A watch whose key nobody writes to stays inside history by asking again while others write; a \
     long poll on the whole store, `/`, tells it that they do. Where more than 1,000 indexes are \
     written before an answer comes, or during an outage, a gap that is `possible` is declared \
     though the key may not have changed. Where half-closing a connection breaks it, or does \
     nothing, as behind some proxies, a notice of the kind `halfClose` says so. etcdwatch then reads the history of the \
     whole store, whose next event proves that nothing in scope lies before it.",
);

const QUIET_V3: Block = Text(
    "In v3 the position of a quiet watch moves with what the server tells from time to time: every \
     10 minutes, or as `--experimental-watch-progress-notify-interval` says. Where history is \
     compacted past it during an outage, a gap that is `possible` is declared. Of a watch on one \
     key it is not, where the key is still as it was.",
);

const NO_EVENTS: Block = Text("By etcd's own design these are no events in v2:");

const NO_EVENTS_LIST: Block = List(&[
    (
        "Refreshed times to live",
        "They take an index, and change nothing else.",
    ),
    (
        "Hidden keys",
        "Those with a segment that begins with `_`, for a watch above that segment.",
    ),
    (
        "The keys in a removed directory",
        "There is one event for the directory, with `dir` set in JSON. A watch on a key below it \
         sees that event too. With `--expand` there is a delete for each key before it.",
    ),
    (
        "Bytes that are not UTF-8",
        "The event is there, but etcd gives each such byte as U+FFFD.",
    ),
]);

const SLOW_READERS: Block = Text(
    "A slow reader of standard output delays the watch and loses nothing by it, until as many bytes \
     of events wait as `--buffer` allows. Then no more are fetched until the reader has caught up; \
     what history no longer holds by then is declared as a gap. In v3 it is the server that waits.",
);

const CHECKPOINTS: Section = Section {
    title: "CHECKPOINTS",
    blocks: &[
        Text(
            "With `--checkpoint` *FILE* a run begins where the last one with the same file \
             stopped. Where the file does not exist yet, it begins as the other options say; where \
             it does, `--from-index`, `--after-index` and `--snapshot` don't count.",
        ),
        Text(
            "The file is written when the watch begins, as records are written and as the position \
             moves on without any, every 200 ms at most, and at the end. It is replaced in one \
             step by way of *FILE*`.new`, and only its owner can read it. Where *FILE* is a symbolic \
             link of the user's own or of root's, the file that it leads to is meant. A run that is killed \
             loses nothing: the next one repeats at most what was printed after the file was last \
             written. The file says what was written to standard output, and not what a reader has \
             made of it.",
        ),
        Text(
            "It names the cluster, the key, whether `--recursive` or `--prefix` was given, and the API, by \
             which the next run goes on unless told otherwise; and it has \
             the index and the last event, or a key of the state where no event came since. Where \
             that is another one in the store, the store was rebuilt: a gap with the cause \
             `indexRewound`. These are refused:",
        ),
        List(&[
            (
                "With exit code 2",
                "A file of another key, of a watch with or without `--recursive` where this one is \
                 the other, of another API or another form; a file that is no checkpoint, which is \
                 left as it is; and one that another run has: *FILE*`.lock` is locked while a run \
                 lasts, and stays.",
            ),
            (
                "Likewise",
                "What somebody else may have put there, since it says from where a watch goes on: a \
                 file, or a lock, that belongs to another user than the one that runs it or root, or \
                 that everyone can write; another user's symbolic link; and what is no regular file, \
                 or longer than 64 MiB. What the group may do does not count, and where a file \
                 system shows every file as one user's or as everyone's, neither does that.",
            ),
            (
                "With exit code 6",
                "A file of another cluster, where no endpoint is of that one.",
            ),
        ]),
        Text(
            "Keep it in a directory that nobody else can write to: who can, can take the file away, \
             and without it the next run begins anew. For a file of another user, run as that user, \
             or make the file yours.",
        ),
        Text(
            "A checkpoint that can't be written, for example to a full disk, ends the run with exit \
             code 74, which comes before the code of a signal. What was printed stays printed, and \
             the old file is still whole.",
        ),
    ],
};

const FRESHNESS: Section = Section {
    title: "FRESHNESS",
    blocks: &[
        Text(
            "While nothing happens, a majority is asked from time to time whether the watch is up \
             to date. Where that can't be had for as long as `--stale-after` says, a notice of the \
             kind `stale` is given, and one of the kind `live` when it is had again. So silence \
             means that nothing happened.",
        ),
        Text("With `--status` records on standard output say the same:"),
        List(&[
            (
                "live",
                "The watch is registered: every write that is acknowledged from now on is seen.",
            ),
            ("stale", "It can't be told whether something happened."),
            ("reconnecting", "No endpoint answers just now."),
        ]),
        Text("As text, again with columns for the TABs:"),
        Lines(&["1108  status  live  http://127.0.0.1:2379"]),
    ],
};

const CHECK: Page = Page {
    command: Some("check"),
    description: &[
        Text(
            "Compares *KEY* and all below it with a file, and prints what differs, a line a key, its \
             fields separated by TABs and escaped as `etcdwatch`(1) describes:",
        ),
        List(&[
            ("+", "The key is only in etcd; its value follows."),
            (
                "-",
                "The key is only in the file; the value that is wanted follows.",
            ),
            (
                "~",
                "The values differ: the one that is wanted follows, then the one that is there.",
            ),
            ("=", "With `--watch`: the key is as it should be again."),
        ]),
        Text(
            "The exit code is 0 where nothing differs and 1 where something does. With `-o json` each is \
             an object with the action `drift`: `drift` is `extra`, `missing`, `different` or `none`, and \
             `wanted` and `value` are there as above.",
        ),
        Text(
            "With `--wait` nothing is printed, and it ends with 0 once nothing differs; past `--timeout` \
             the exit code is 124, and what differs still is printed. With `--watch` it goes on, and \
             prints whatever comes to differ or does so no longer, from the events and without reading \
             the tree again; a notice says when the first comparison is done. After a gap in the events, \
             which is printed too, the tree is read anew.",
        ),
    ],
    sections: &[Section {
        title: "THE FILE",
        blocks: &[
            Text(
                "It is JSON where its name ends in `.json` or its text begins with a brace, else YAML. \
                     Names lie below *KEY*, and may be paths: `{\"db\": {\"port\": 5432}}` and \
                     `{\"db/port\": \"5432\"}` say the same. Those at the top that begin with a `/` are \
                     whole keys (as are, where *KEY* does not begin with one, those that begin with *KEY* \
                     and a `/`). What `etcdwatch get -r -o json` printed is taken, too.",
            ),
            Text(
                "A number, `true` and `false` are what is written, to the letter: in YAML `1.0` is the \
                     value `1.0`. Lists and nulls are refused, since etcd has neither, and so are keys that \
                     v2 hides, and an empty file: where nothing is wanted, it is `{}`. Directories don't \
                     count.",
            ),
        ],
    }],
    exits: &[
        Exit::Done,
        Exit::No,
        Exit::Usage,
        Exit::Unreachable,
        Exit::TimedOut,
    ],
    examples: &[
        Example {
            explanation: "Does the cluster have what the repository says?",
            lines: &["etcdwatch check config/production.yaml /app"],
        },
        Example {
            explanation: "Go on with a deployment once it has, five minutes at most:",
            lines: &[
                "etcdwatch check --wait --timeout 5m --subset config.yaml /app &&",
                "  ./deploy",
            ],
        },
        Example {
            explanation: "Tell of every drift, but of the locks:",
            lines: &["etcdwatch check --watch --ignore '/app/locks/**' config.yaml /app"],
        },
        Example {
            explanation: "What has changed since yesterday's copy:",
            lines: &["etcdwatch check yesterday.json /app"],
        },
    ],
    see_also: &["`diff`(1)"],
};

const DOCTOR: Page = Page {
    command: Some("doctor"),
    description: &[
        Text(
            "Tells what an operator wants to know before a watch is trusted. It asks each endpoint what \
             it is, watches *KEY* and all below it, or all keys, for the time `--for`, asks again, and \
             prints a table with a line an endpoint:",
        ),
        List(&[
            ("VERSION", "The server's version, or `unreachable`."),
            (
                "V2, V3",
                "Whether it serves that API; v3 through the JSON gateway.",
            ),
            (
                "CLUSTER, MEMBER",
                "Their ids, and whether the member leads or knows of no leader.",
            ),
            ("INDEX", "v2's index and v3's revision."),
            (
                "LAG",
                "How far it is behind what others knew before the sample was taken.",
            ),
            (
                "QUORUM",
                "How long it takes to read what a majority agrees on.",
            ),
            ("TRIP", "How long the shortest of a few answers took."),
        ]),
        Text(
            "Then come how long the history of each API reaches back at the present rate of writes \
             (v2 keeps 1,000 indexes of all keys together, v3 what was not compacted), as whom requests \
             are sent, which keys in scope were written most, and what is wrong, with what to do. With \
             `-o json` it is one object.",
        ),
        Text(
            "The exit code is 0 where nothing is wrong and 1 where something is: an endpoint that can't \
             be reached, is not etcd, is of another cluster, is behind, knows of no leader, has no \
             majority, or serves one API less than the others; an alarm; a history that reaches back \
             less than ten seconds; or a watch that can't go on. What is only worth to know is a `note`.",
        ),
    ],
    sections: &[],
    exits: &[Exit::Done, Exit::No, Exit::Usage, Exit::TimedOut],
    examples: &[
        Example {
            explanation: "Is this cluster fit to be watched?",
            lines: &["etcdwatch --endpoints a:2379,b:2379,c:2379 doctor"],
        },
        Example {
            explanation: "Who writes so much below `/app`? Half a minute of it:",
            lines: &["etcdwatch doctor /app --for 30s"],
        },
        Example {
            explanation: "What is wrong, a line each:",
            lines: &["etcdwatch doctor -o json | jq -r '.findings[].message'"],
        },
    ],
    see_also: &[],
};

const COMPLETIONS: Page = Page {
    command: Some("completions"),
    description: &[
        Text(
            "Prints a script that makes *SHELL* complete the commands, options and values of \
             `etcdwatch`.",
        ),
        Text("The same scripts come with the source, in `completions/`."),
    ],
    sections: &[],
    exits: &[Exit::Done, Exit::Usage, Exit::Output],
    examples: &[
        Example {
            explanation: "bash, with bash-completion, which reads the file when it is needed:",
            lines: &[
                "mkdir -p ~/.local/share/bash-completion/completions",
                "etcdwatch completions bash \\",
                "  >~/.local/share/bash-completion/completions/etcdwatch",
            ],
        },
        Example {
            explanation: "bash without it; the second line goes into `~/.bashrc`:",
            lines: &[
                "etcdwatch completions bash >~/.etcdwatch.bash",
                "source ~/.etcdwatch.bash",
            ],
        },
        Example {
            explanation: "zsh, into a directory of *fpath* that is named before compinit runs:",
            lines: &["etcdwatch completions zsh >~/.zfunc/_etcdwatch"],
        },
        Example {
            explanation: "fish:",
            lines: &["etcdwatch completions fish >~/.config/fish/completions/etcdwatch.fish"],
        },
        Example {
            explanation: "elvish; the second line goes into `rc.elv`:",
            lines: &[
                "etcdwatch completions elvish >~/.config/elvish/lib/etcdwatch.elv",
                "use etcdwatch",
            ],
        },
        Example {
            explanation: "PowerShell, into the profile:",
            lines: &["etcdwatch completions powershell >>$PROFILE"],
        },
    ],
    see_also: &[],
};
