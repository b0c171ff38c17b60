
use builtin;
use str;

set edit:completion:arg-completer[etcdwatch] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'etcdwatch'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'etcdwatch'= {
            cand --endpoints 'The cluster''s endpoints, tried in order'
            cand --api 'The API to use'
            cand -o 'How records are printed'
            cand --output 'How records are printed'
            cand --color 'When to use colours'
            cand --connect-timeout 'How long a connection may take: DNS, TCP and TLS, per endpoint'
            cand --timeout 'How long the whole command may take; past it, exit 124'
            cand --user 'The user to authenticate as'
            cand --password-file 'A file with the password (not in this version)'
            cand --cacert 'Certificates of the authorities to trust (not in this version)'
            cand --cert 'The client''s certificate (not in this version)'
            cand --key 'The key of the client''s certificate (not in this version)'
            cand --proxy 'An HTTP proxy'
            cand --max-event 'The largest event or reply that is taken'
            cand -q 'No notices and no spinner on standard error; errors stay'
            cand --quiet 'No notices and no spinner on standard error; errors stay'
            cand -v 'Show each request as a curl command, and each connection, on standard error'
            cand --verbose 'Show each request as a curl command, and each connection, on standard error'
            cand --insecure-skip-tls-verify 'Don''t check the server''s certificate (not in this version)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand get 'Print a key''s value, or what is in a directory'
            cand set 'Write a value, or make a directory'
            cand rm 'Remove a key or a directory'
            cand watch 'Wait for an event, or stream every event'
            cand replay 'Print the events of history, up to now'
            cand completions 'Print a completion script for a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'etcdwatch;get'= {
            cand --endpoints 'The cluster''s endpoints, tried in order'
            cand --api 'The API to use'
            cand -o 'How records are printed'
            cand --output 'How records are printed'
            cand --color 'When to use colours'
            cand --connect-timeout 'How long a connection may take: DNS, TCP and TLS, per endpoint'
            cand --timeout 'How long the whole command may take; past it, exit 124'
            cand --user 'The user to authenticate as'
            cand --password-file 'A file with the password (not in this version)'
            cand --cacert 'Certificates of the authorities to trust (not in this version)'
            cand --cert 'The client''s certificate (not in this version)'
            cand --key 'The key of the client''s certificate (not in this version)'
            cand --proxy 'An HTTP proxy'
            cand --max-event 'The largest event or reply that is taken'
            cand -r 'Print all below a directory, as key TAB value'
            cand --recursive 'Print all below a directory, as key TAB value'
            cand --sort 'Sort by key'
            cand --quorum 'Read what a majority agrees on, not only what this member knows'
            cand -q 'No notices and no spinner on standard error; errors stay'
            cand --quiet 'No notices and no spinner on standard error; errors stay'
            cand -v 'Show each request as a curl command, and each connection, on standard error'
            cand --verbose 'Show each request as a curl command, and each connection, on standard error'
            cand --insecure-skip-tls-verify 'Don''t check the server''s certificate (not in this version)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'etcdwatch;set'= {
            cand --ttl 'How long the key lives: whole seconds, or a duration such as 90s or 5m'
            cand --prev-value 'Only if the value is V; may be empty'
            cand --prev-index 'Only if the last change was at index N'
            cand --endpoints 'The cluster''s endpoints, tried in order'
            cand --api 'The API to use'
            cand -o 'How records are printed'
            cand --output 'How records are printed'
            cand --color 'When to use colours'
            cand --connect-timeout 'How long a connection may take: DNS, TCP and TLS, per endpoint'
            cand --timeout 'How long the whole command may take; past it, exit 124'
            cand --user 'The user to authenticate as'
            cand --password-file 'A file with the password (not in this version)'
            cand --cacert 'Certificates of the authorities to trust (not in this version)'
            cand --cert 'The client''s certificate (not in this version)'
            cand --key 'The key of the client''s certificate (not in this version)'
            cand --proxy 'An HTTP proxy'
            cand --max-event 'The largest event or reply that is taken'
            cand --dir 'Make a directory'
            cand --create 'Only if the key is absent'
            cand --update 'Only if the key is present'
            cand --in-order 'Write under KEY, to a new name that etcd chooses, each later than the one before'
            cand -q 'No notices and no spinner on standard error; errors stay'
            cand --quiet 'No notices and no spinner on standard error; errors stay'
            cand -v 'Show each request as a curl command, and each connection, on standard error'
            cand --verbose 'Show each request as a curl command, and each connection, on standard error'
            cand --insecure-skip-tls-verify 'Don''t check the server''s certificate (not in this version)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'etcdwatch;rm'= {
            cand --prev-value 'Only if the value is V; may be empty'
            cand --prev-index 'Only if the last change was at index N'
            cand --endpoints 'The cluster''s endpoints, tried in order'
            cand --api 'The API to use'
            cand -o 'How records are printed'
            cand --output 'How records are printed'
            cand --color 'When to use colours'
            cand --connect-timeout 'How long a connection may take: DNS, TCP and TLS, per endpoint'
            cand --timeout 'How long the whole command may take; past it, exit 124'
            cand --user 'The user to authenticate as'
            cand --password-file 'A file with the password (not in this version)'
            cand --cacert 'Certificates of the authorities to trust (not in this version)'
            cand --cert 'The client''s certificate (not in this version)'
            cand --key 'The key of the client''s certificate (not in this version)'
            cand --proxy 'An HTTP proxy'
            cand --max-event 'The largest event or reply that is taken'
            cand -r 'Remove a directory with all below it'
            cand --recursive 'Remove a directory with all below it'
            cand --dir 'Remove an empty directory'
            cand -q 'No notices and no spinner on standard error; errors stay'
            cand --quiet 'No notices and no spinner on standard error; errors stay'
            cand -v 'Show each request as a curl command, and each connection, on standard error'
            cand --verbose 'Show each request as a curl command, and each connection, on standard error'
            cand --insecure-skip-tls-verify 'Don''t check the server''s certificate (not in this version)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'etcdwatch;watch'= {
            cand --from-index 'Begin with the first event at or after index N, from history if it is there'
            cand --after-index 'The same as --from-index M+1'
            cand --count 'Stop after N events (with --stream)'
            cand --checkpoint 'Resume where the last run stopped (not in this version)'
            cand --on-gap 'What is done when events were lost'
            cand --endpoints 'The cluster''s endpoints, tried in order'
            cand --api 'The API to use'
            cand -o 'How records are printed'
            cand --output 'How records are printed'
            cand --color 'When to use colours'
            cand --connect-timeout 'How long a connection may take: DNS, TCP and TLS, per endpoint'
            cand --timeout 'How long the whole command may take; past it, exit 124'
            cand --user 'The user to authenticate as'
            cand --password-file 'A file with the password (not in this version)'
            cand --cacert 'Certificates of the authorities to trust (not in this version)'
            cand --cert 'The client''s certificate (not in this version)'
            cand --key 'The key of the client''s certificate (not in this version)'
            cand --proxy 'An HTTP proxy'
            cand --max-event 'The largest event or reply that is taken'
            cand -r 'Watch all below it too'
            cand --recursive 'Watch all below it too'
            cand --stream 'Every event, until stopped'
            cand --prev 'Show the previous value'
            cand --snapshot 'Print the present state first (not in this version)'
            cand --status 'Add records of the watch''s own state (not in this version)'
            cand -q 'No notices and no spinner on standard error; errors stay'
            cand --quiet 'No notices and no spinner on standard error; errors stay'
            cand -v 'Show each request as a curl command, and each connection, on standard error'
            cand --verbose 'Show each request as a curl command, and each connection, on standard error'
            cand --insecure-skip-tls-verify 'Don''t check the server''s certificate (not in this version)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'etcdwatch;replay'= {
            cand --from-index 'The first index, or ''oldest'' for the oldest event that the server has'
            cand --after-index 'The same as --from-index M+1'
            cand --to-index 'The last index; without it, the server''s at the start'
            cand --count 'Stop after N events'
            cand --checkpoint 'Resume where the last run stopped (not in this version)'
            cand --on-gap 'What is done when events were lost; the default is ''fail'''
            cand --endpoints 'The cluster''s endpoints, tried in order'
            cand --api 'The API to use'
            cand -o 'How records are printed'
            cand --output 'How records are printed'
            cand --color 'When to use colours'
            cand --connect-timeout 'How long a connection may take: DNS, TCP and TLS, per endpoint'
            cand --timeout 'How long the whole command may take; past it, exit 124'
            cand --user 'The user to authenticate as'
            cand --password-file 'A file with the password (not in this version)'
            cand --cacert 'Certificates of the authorities to trust (not in this version)'
            cand --cert 'The client''s certificate (not in this version)'
            cand --key 'The key of the client''s certificate (not in this version)'
            cand --proxy 'An HTTP proxy'
            cand --max-event 'The largest event or reply that is taken'
            cand -r 'Replay all below it too'
            cand --recursive 'Replay all below it too'
            cand --follow 'Go on as a stream, with no gap between'
            cand --prev 'Show the previous value'
            cand --snapshot 'Print the present state first (not in this version)'
            cand --status 'Add records of the watch''s own state (not in this version)'
            cand -q 'No notices and no spinner on standard error; errors stay'
            cand --quiet 'No notices and no spinner on standard error; errors stay'
            cand -v 'Show each request as a curl command, and each connection, on standard error'
            cand --verbose 'Show each request as a curl command, and each connection, on standard error'
            cand --insecure-skip-tls-verify 'Don''t check the server''s certificate (not in this version)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'etcdwatch;completions'= {
            cand --endpoints 'The cluster''s endpoints, tried in order'
            cand --api 'The API to use'
            cand -o 'How records are printed'
            cand --output 'How records are printed'
            cand --color 'When to use colours'
            cand --connect-timeout 'How long a connection may take: DNS, TCP and TLS, per endpoint'
            cand --timeout 'How long the whole command may take; past it, exit 124'
            cand --user 'The user to authenticate as'
            cand --password-file 'A file with the password (not in this version)'
            cand --cacert 'Certificates of the authorities to trust (not in this version)'
            cand --cert 'The client''s certificate (not in this version)'
            cand --key 'The key of the client''s certificate (not in this version)'
            cand --proxy 'An HTTP proxy'
            cand --max-event 'The largest event or reply that is taken'
            cand -q 'No notices and no spinner on standard error; errors stay'
            cand --quiet 'No notices and no spinner on standard error; errors stay'
            cand -v 'Show each request as a curl command, and each connection, on standard error'
            cand --verbose 'Show each request as a curl command, and each connection, on standard error'
            cand --insecure-skip-tls-verify 'Don''t check the server''s certificate (not in this version)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'etcdwatch;help'= {
            cand get 'Print a key''s value, or what is in a directory'
            cand set 'Write a value, or make a directory'
            cand rm 'Remove a key or a directory'
            cand watch 'Wait for an event, or stream every event'
            cand replay 'Print the events of history, up to now'
            cand completions 'Print a completion script for a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'etcdwatch;help;get'= {
        }
        &'etcdwatch;help;set'= {
        }
        &'etcdwatch;help;rm'= {
        }
        &'etcdwatch;help;watch'= {
        }
        &'etcdwatch;help;replay'= {
        }
        &'etcdwatch;help;completions'= {
        }
        &'etcdwatch;help;help'= {
        }
    ]
    $completions[$command]
}
