
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'etcdwatch' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'etcdwatch'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'etcdwatch' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print a key''s value, or what is in a directory')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Write a value, or make a directory')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a key or a directory')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Wait for an event, or stream every event')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Print the events of history, up to now')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Compare a subtree with a file, and print what differs')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Tell whether a watch can be trusted, and what is wrong')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'etcdwatch;get' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Print all below a directory, as key TAB value')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Print all below a directory, as key TAB value')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Sort by key')
            [CompletionResult]::new('--quorum', '--quorum', [CompletionResultType]::ParameterName, 'Read what a majority agrees on, not only what this member knows; v3 always does')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Print all that begins with KEY, as key TAB value (v3)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;set' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'How long the key lives: whole seconds, or a duration such as 90s or 5m')
            [CompletionResult]::new('--prev-value', '--prev-value', [CompletionResultType]::ParameterName, 'Only if the value is V; may be empty')
            [CompletionResult]::new('--prev-index', '--prev-index', [CompletionResultType]::ParameterName, 'Only if the last change was at index N')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Make a directory (v2)')
            [CompletionResult]::new('--create', '--create', [CompletionResultType]::ParameterName, 'Only if the key is absent')
            [CompletionResult]::new('--update', '--update', [CompletionResultType]::ParameterName, 'Only if the key is present')
            [CompletionResult]::new('--in-order', '--in-order', [CompletionResultType]::ParameterName, 'Write under KEY, to a new name that etcd chooses, each later than the one before (v2)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;rm' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('--prev-value', '--prev-value', [CompletionResultType]::ParameterName, 'Only if the value is V; may be empty')
            [CompletionResult]::new('--prev-index', '--prev-index', [CompletionResultType]::ParameterName, 'Only if the last change was at index N')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Remove a directory with all below it')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Remove a directory with all below it')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Remove an empty directory (v2)')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Remove all that begins with KEY (v3)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;watch' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('--from-index', '--from-index', [CompletionResultType]::ParameterName, 'Begin with the first event at or after index N, from history if it is there')
            [CompletionResult]::new('--after-index', '--after-index', [CompletionResultType]::ParameterName, 'The same as --from-index M+1')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Stop after N events (with --stream)')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Wait until KEY is so: exists, absent, value=V, value!=V or value~REGEX')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print records by a template: {index} {action} {key} {value} {prev} {time}')
            [CompletionResult]::new('--on-gap', '--on-gap', [CompletionResultType]::ParameterName, 'What is done when events were lost; by default ''resync'' with --stream or --until, else ''fail''')
            [CompletionResult]::new('--checkpoint', '--checkpoint', [CompletionResultType]::ParameterName, 'Resume where the last run stopped, and note there how far this one came')
            [CompletionResult]::new('--buffer', '--buffer', [CompletionResultType]::ParameterName, 'How many bytes of events may wait for a slow reader of the output')
            [CompletionResult]::new('--stale-after', '--stale-after', [CompletionResultType]::ParameterName, 'After how long without confirmation a notice says that the watch is stale')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'End with exit 124 after so long without an event')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Print only these actions')
            [CompletionResult]::new('--match', '--match', [CompletionResultType]::ParameterName, 'Print only keys that match; may be repeated')
            [CompletionResult]::new('--exec-mode', '--exec-mode', [CompletionResultType]::ParameterName, 'What is done with events that come while the command runs')
            [CompletionResult]::new('--on-exec-failure', '--on-exec-failure', [CompletionResultType]::ParameterName, 'What is done where the command fails')
            [CompletionResult]::new('--debounce', '--debounce', [CompletionResultType]::ParameterName, 'Run the command only once nothing new has come for so long')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'How long the command may take to end when it is told to; then it is killed')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Watch all below them too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Watch all below them too')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Watch all that begins with KEY (v3)')
            [CompletionResult]::new('--stream', '--stream', [CompletionResultType]::ParameterName, 'Every event, until stopped')
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'Print the present state first, with no gap between it and the events')
            [CompletionResult]::new('--prev', '--prev', [CompletionResultType]::ParameterName, 'Show the previous value')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Show when each record was received')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Show what became of a value of several lines, or of JSON, line by line')
            [CompletionResult]::new('--expand', '--expand', [CompletionResultType]::ParameterName, 'Print every key that a removed directory takes with it')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Add records of the watch''s own state: live, stale, reconnecting')
            [CompletionResult]::new('--changed', '--changed', [CompletionResultType]::ParameterName, 'Print only where the value is another than the one before')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;replay' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('--from-index', '--from-index', [CompletionResultType]::ParameterName, 'The first index, or ''oldest'' for the oldest event that the server has')
            [CompletionResult]::new('--after-index', '--after-index', [CompletionResultType]::ParameterName, 'The same as --from-index M+1')
            [CompletionResult]::new('--to-index', '--to-index', [CompletionResultType]::ParameterName, 'The last index; without it, the server''s at the start')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Stop after N events')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print records by a template: {index} {action} {key} {value} {prev} {time}')
            [CompletionResult]::new('--on-gap', '--on-gap', [CompletionResultType]::ParameterName, 'What is done when events were lost; by default ''resync'' with --stream or --until, else ''fail''')
            [CompletionResult]::new('--checkpoint', '--checkpoint', [CompletionResultType]::ParameterName, 'Resume where the last run stopped, and note there how far this one came')
            [CompletionResult]::new('--buffer', '--buffer', [CompletionResultType]::ParameterName, 'How many bytes of events may wait for a slow reader of the output')
            [CompletionResult]::new('--stale-after', '--stale-after', [CompletionResultType]::ParameterName, 'After how long without confirmation a notice says that the watch is stale')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'End with exit 124 after so long without an event')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Print only these actions')
            [CompletionResult]::new('--match', '--match', [CompletionResultType]::ParameterName, 'Print only keys that match; may be repeated')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Replay all below them too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Replay all below them too')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Replay all that begins with KEY (v3)')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on as a stream, with no gap between')
            [CompletionResult]::new('--prev', '--prev', [CompletionResultType]::ParameterName, 'Show the previous value')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Show when each record was received')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Show what became of a value of several lines, or of JSON, line by line')
            [CompletionResult]::new('--expand', '--expand', [CompletionResultType]::ParameterName, 'Print every key that a removed directory takes with it')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Add records of the watch''s own state: live, stale, reconnecting')
            [CompletionResult]::new('--changed', '--changed', [CompletionResultType]::ParameterName, 'Print only where the value is another than the one before')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;check' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'Leave out keys that match; may be repeated')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('--subset', '--subset', [CompletionResultType]::ParameterName, 'More keys may be in etcd than in the file')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until nothing differs; past --timeout, exit 124')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Go on, and print whatever comes to differ, and ''='' what does so no longer')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;doctor' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'For how long writes are counted')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;completions' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'The cluster''s endpoints, tried in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'The API to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long a connection may take: DNS, TCP and TLS, per endpoint')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long the whole command may take; past it, exit 124')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user to authenticate as')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file with the user''s password, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'The client''s certificate, and those that lead to its authority')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of the client''s certificate; without it, it is in the certificate''s file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'An HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'The largest event or reply that is taken')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No notices and no spinner on standard error; errors stay')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as a curl command, and each connection, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Don''t check the server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;help' {
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print a key''s value, or what is in a directory')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Write a value, or make a directory')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a key or a directory')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Wait for an event, or stream every event')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Print the events of history, up to now')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Compare a subtree with a file, and print what differs')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Tell whether a watch can be trusted, and what is wrong')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'etcdwatch;help;get' {
            break
        }
        'etcdwatch;help;set' {
            break
        }
        'etcdwatch;help;rm' {
            break
        }
        'etcdwatch;help;watch' {
            break
        }
        'etcdwatch;help;replay' {
            break
        }
        'etcdwatch;help;check' {
            break
        }
        'etcdwatch;help;doctor' {
            break
        }
        'etcdwatch;help;completions' {
            break
        }
        'etcdwatch;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
