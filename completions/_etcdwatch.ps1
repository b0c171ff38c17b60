
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
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print the value of a key, or list a directory')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Write a value, or create a directory')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a key or a directory')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Wait for one event, or stream every event')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Print the events in the server''s history')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Compare a subtree with a file and print the differences')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check whether a cluster is fit to be watched')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'etcdwatch;get' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Print everything below a directory, as key TAB value')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Print everything below a directory, as key TAB value')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Sort by key')
            [CompletionResult]::new('--quorum', '--quorum', [CompletionResultType]::ParameterName, 'Read what a majority of the members agrees on, as v3 always does')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Print every key that begins with KEY, as key TAB value (v3 only)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;set' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Expire the key after this time: whole seconds, or a duration such as 90s or 5m')
            [CompletionResult]::new('--prev-value', '--prev-value', [CompletionResultType]::ParameterName, 'Write only if the present value is V, which may be empty')
            [CompletionResult]::new('--prev-index', '--prev-index', [CompletionResultType]::ParameterName, 'Write only if the key was last changed at index N')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Create a directory (v2 only)')
            [CompletionResult]::new('--create', '--create', [CompletionResultType]::ParameterName, 'Write only if the key does not exist')
            [CompletionResult]::new('--update', '--update', [CompletionResultType]::ParameterName, 'Write only if the key exists')
            [CompletionResult]::new('--in-order', '--in-order', [CompletionResultType]::ParameterName, 'Write to a new key below KEY; etcd chooses its name, in ascending order (v2 only)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;rm' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('--prev-value', '--prev-value', [CompletionResultType]::ParameterName, 'Remove only if the present value is V, which may be empty')
            [CompletionResult]::new('--prev-index', '--prev-index', [CompletionResultType]::ParameterName, 'Remove only if the key was last changed at index N')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Remove a directory and everything below it')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Remove a directory and everything below it')
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Remove an empty directory (v2 only)')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Remove every key that begins with KEY (v3 only)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;watch' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('--from-index', '--from-index', [CompletionResultType]::ParameterName, 'Start with the first event at or after index N, from history if the server has it')
            [CompletionResult]::new('--after-index', '--after-index', [CompletionResultType]::ParameterName, 'Start after index M, as --from-index M+1 does')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Exit with 0 after N events (with --stream)')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Wait until KEY meets a condition: exists, absent, value=V, value!=V or value~REGEX')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format records with a template: {index} {action} {key} {value} {prev} {time}')
            [CompletionResult]::new('--on-gap', '--on-gap', [CompletionResultType]::ParameterName, 'Choose what to do when events are lost (default: resync with --stream or --until, otherwise fail)')
            [CompletionResult]::new('--checkpoint', '--checkpoint', [CompletionResultType]::ParameterName, 'Resume where the last run stopped, and save the position of this run')
            [CompletionResult]::new('--buffer', '--buffer', [CompletionResultType]::ParameterName, 'Buffer up to this many bytes of events for a slow reader of the output')
            [CompletionResult]::new('--stale-after', '--stale-after', [CompletionResultType]::ParameterName, 'Report the watch as stale after this time without confirmation by a majority')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Exit with 124 after this time without an event')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Print only events with these actions')
            [CompletionResult]::new('--match', '--match', [CompletionResultType]::ParameterName, 'Print only events on keys that match; may be repeated')
            [CompletionResult]::new('--exec-mode', '--exec-mode', [CompletionResultType]::ParameterName, 'Choose what to do with events that arrive while the command runs')
            [CompletionResult]::new('--on-exec-failure', '--on-exec-failure', [CompletionResultType]::ParameterName, 'Choose what to do when the command fails')
            [CompletionResult]::new('--debounce', '--debounce', [CompletionResultType]::ParameterName, 'Run the command only after no event has arrived for this time')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Wait this long for the command to end before killing it')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Watch everything below the keys as well')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Watch everything below the keys as well')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Watch every key that begins with KEY (v3 only)')
            [CompletionResult]::new('--stream', '--stream', [CompletionResultType]::ParameterName, 'Print every event until stopped')
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'Print the present state first, with no gap between it and the events')
            [CompletionResult]::new('--prev', '--prev', [CompletionResultType]::ParameterName, 'Print the previous value as well')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Print the time at which each record was received')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Print times in UTC')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Print a line-by-line diff of a value that is JSON or has several lines')
            [CompletionResult]::new('--expand', '--expand', [CompletionResultType]::ParameterName, 'Print a delete for every key below a removed directory')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Print records of the watch''s own state: live, stale, reconnecting')
            [CompletionResult]::new('--changed', '--changed', [CompletionResultType]::ParameterName, 'Print only events that change the value')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;replay' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('--from-index', '--from-index', [CompletionResultType]::ParameterName, 'Start at index N, or at the oldest event that the server has')
            [CompletionResult]::new('--after-index', '--after-index', [CompletionResultType]::ParameterName, 'Start after index M, as --from-index M+1 does')
            [CompletionResult]::new('--to-index', '--to-index', [CompletionResultType]::ParameterName, 'Stop at index M; the default is the server''s index at the start')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Exit with 0 after N events')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format records with a template: {index} {action} {key} {value} {prev} {time}')
            [CompletionResult]::new('--on-gap', '--on-gap', [CompletionResultType]::ParameterName, 'Choose what to do when events are lost (default: resync with --stream or --until, otherwise fail)')
            [CompletionResult]::new('--checkpoint', '--checkpoint', [CompletionResultType]::ParameterName, 'Resume where the last run stopped, and save the position of this run')
            [CompletionResult]::new('--buffer', '--buffer', [CompletionResultType]::ParameterName, 'Buffer up to this many bytes of events for a slow reader of the output')
            [CompletionResult]::new('--stale-after', '--stale-after', [CompletionResultType]::ParameterName, 'Report the watch as stale after this time without confirmation by a majority')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Exit with 124 after this time without an event')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Print only events with these actions')
            [CompletionResult]::new('--match', '--match', [CompletionResultType]::ParameterName, 'Print only events on keys that match; may be repeated')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Replay everything below the keys as well')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Replay everything below the keys as well')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Replay every key that begins with KEY (v3 only)')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Continue as a stream, with no gap between history and new events')
            [CompletionResult]::new('--prev', '--prev', [CompletionResultType]::ParameterName, 'Print the previous value as well')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Print the time at which each record was received')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Print times in UTC')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Print a line-by-line diff of a value that is JSON or has several lines')
            [CompletionResult]::new('--expand', '--expand', [CompletionResultType]::ParameterName, 'Print a delete for every key below a removed directory')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Print records of the watch''s own state: live, stale, reconnecting')
            [CompletionResult]::new('--changed', '--changed', [CompletionResultType]::ParameterName, 'Print only events that change the value')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;check' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'Ignore keys that match, and everything below them; may be repeated')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('--subset', '--subset', [CompletionResultType]::ParameterName, 'Allow keys in etcd that are not in the file')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until there are no differences; after --timeout, exit with 124')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Keep watching: print each new difference, and ''='' for a key that no longer differs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;doctor' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'Count writes for this time')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;completions' {
            [CompletionResult]::new('--endpoints', '--endpoints', [CompletionResultType]::ParameterName, 'Connect to these endpoints, trying them in order')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Use this version of etcd''s API')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print records in this format')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Choose when to use colours')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit the time to connect to an endpoint, with DNS, TCP and TLS')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Limit the time of the whole command, and exit with 124 when it runs out')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Authenticate as this user')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the user''s password from this file, which only its owner may read')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificate authorities in this file instead of the system''s')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Present the client certificate in this file to the server')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Read the private key of the client certificate from this file')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this HTTP proxy')
            [CompletionResult]::new('--max-event', '--max-event', [CompletionResultType]::ParameterName, 'Limit the size of an event or a reply')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Suppress the notices and the spinner on standard error, but not errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print each request as a curl command, and each connection change, on standard error')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Skip the verification of the server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'etcdwatch;help' {
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print the value of a key, or list a directory')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Write a value, or create a directory')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a key or a directory')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Wait for one event, or stream every event')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Print the events in the server''s history')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Compare a subtree with a file and print the differences')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check whether a cluster is fit to be watched')
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
