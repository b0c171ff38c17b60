# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_etcdwatch_global_optspecs
    string join \n endpoints= api= o/output= color= q/quiet v/verbose connect-timeout= timeout= user= password-file= cacert= cert= key= insecure-skip-tls-verify proxy= max-event= h/help V/version
end

function __fish_etcdwatch_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_etcdwatch_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_etcdwatch_using_subcommand
    set -l cmd (__fish_etcdwatch_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s V -l version -d 'Print version'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "get" -d 'Print the value of a key, or list a directory'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "set" -d 'Write a value, or create a directory'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "rm" -d 'Remove a key or a directory'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "watch" -d 'Wait for one event, or stream every event'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "replay" -d 'Print the events in the server\'s history'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "check" -d 'Compare a subtree with a file and print the differences'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "doctor" -d 'Check whether a cluster is fit to be watched'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s r -l recursive -d 'Print everything below a directory, as key TAB value'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l sort -d 'Sort by key'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l quorum -d 'Read what a majority of the members agrees on, as v3 always does'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l prefix -d 'Print every key that begins with KEY, as key TAB value (v3 only)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l ttl -d 'Expire the key after this time: whole seconds, or a duration such as 90s or 5m' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l prev-value -d 'Write only if the present value is V, which may be empty' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l prev-index -d 'Write only if the key was last changed at index N' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l dir -d 'Create a directory (v2 only)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l create -d 'Write only if the key does not exist'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l update -d 'Write only if the key exists'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l in-order -d 'Write to a new key below KEY; etcd chooses its name, in ascending order (v2 only)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l prev-value -d 'Remove only if the present value is V, which may be empty' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l prev-index -d 'Remove only if the key was last changed at index N' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s r -l recursive -d 'Remove a directory and everything below it'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l dir -d 'Remove an empty directory (v2 only)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l prefix -d 'Remove every key that begins with KEY (v3 only)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l from-index -d 'Start with the first event at or after index N, from history if the server has it' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l after-index -d 'Start after index M, as --from-index M+1 does' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l count -d 'Exit with 0 after N events (with --stream)' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l until -d 'Wait until KEY meets a condition: exists, absent, value=V, value!=V or value~REGEX' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l format -d 'Format records with a template: {index} {action} {key} {value} {prev} {time}' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l on-gap -d 'Choose what to do when events are lost (default: resync with --stream or --until, otherwise fail)' -r -f -a "resync\t'Declare the gap and print the state again'
diff\t'Declare the gap and print what changed'
continue\t'Declare the gap and continue'
fail\t'Exit with 5'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l checkpoint -d 'Resume where the last run stopped, and save the position of this run' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l buffer -d 'Buffer up to this many bytes of events for a slow reader of the output' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l stale-after -d 'Report the watch as stale after this time without confirmation by a majority' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l idle-timeout -d 'Exit with 124 after this time without an event' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l only -d 'Print only events with these actions' -r -f -a "get\t''
set\t''
create\t''
update\t''
delete\t''
expire\t''
compareAndSwap\t''
compareAndDelete\t''"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l match -d 'Print only events on keys that match; may be repeated' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l exec-mode -d 'Choose what to do with events that arrive while the command runs' -r -f -a "each\t'Run the command for every event in turn'
latest\t'Run the command for the newest event once it has ended'
restart\t'Stop the command, with everything it started, and run it for the newest event'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l on-exec-failure -d 'Choose what to do when the command fails' -r -f -a "stop\t'Exit with 123'
continue\t'Continue with the next event'
retry\t'Run the command again after 1s, 2s, 4s and so on, up to a minute'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l debounce -d 'Run the command only after no event has arrived for this time' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l grace -d 'Wait this long for the command to end before killing it' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s r -l recursive -d 'Watch everything below the keys as well'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l prefix -d 'Watch every key that begins with KEY (v3 only)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l stream -d 'Print every event until stopped'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l snapshot -d 'Print the present state first, with no gap between it and the events'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l prev -d 'Print the previous value as well'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l timestamps -d 'Print the time at which each record was received'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l utc -d 'Print times in UTC'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l diff -d 'Print a line-by-line diff of a value that is JSON or has several lines'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l expand -d 'Print a delete for every key below a removed directory'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l status -d 'Print records of the watch\'s own state: live, stale, reconnecting'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l changed -d 'Print only events that change the value'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l from-index -d 'Start at index N, or at the oldest event that the server has' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l after-index -d 'Start after index M, as --from-index M+1 does' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l to-index -d 'Stop at index M; the default is the server\'s index at the start' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l count -d 'Exit with 0 after N events' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l format -d 'Format records with a template: {index} {action} {key} {value} {prev} {time}' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l on-gap -d 'Choose what to do when events are lost (default: resync with --stream or --until, otherwise fail)' -r -f -a "resync\t'Declare the gap and print the state again'
diff\t'Declare the gap and print what changed'
continue\t'Declare the gap and continue'
fail\t'Exit with 5'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l checkpoint -d 'Resume where the last run stopped, and save the position of this run' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l buffer -d 'Buffer up to this many bytes of events for a slow reader of the output' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l stale-after -d 'Report the watch as stale after this time without confirmation by a majority' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l idle-timeout -d 'Exit with 124 after this time without an event' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l only -d 'Print only events with these actions' -r -f -a "get\t''
set\t''
create\t''
update\t''
delete\t''
expire\t''
compareAndSwap\t''
compareAndDelete\t''"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l match -d 'Print only events on keys that match; may be repeated' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s r -l recursive -d 'Replay everything below the keys as well'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l prefix -d 'Replay every key that begins with KEY (v3 only)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l follow -d 'Continue as a stream, with no gap between history and new events'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l prev -d 'Print the previous value as well'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l timestamps -d 'Print the time at which each record was received'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l utc -d 'Print times in UTC'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l diff -d 'Print a line-by-line diff of a value that is JSON or has several lines'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l expand -d 'Print a delete for every key below a removed directory'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l status -d 'Print records of the watch\'s own state: live, stale, reconnecting'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l changed -d 'Print only events that change the value'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l ignore -d 'Ignore keys that match, and everything below them; may be repeated' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l subset -d 'Allow keys in etcd that are not in the file'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l wait -d 'Wait until there are no differences; after --timeout, exit with 124'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l watch -d 'Keep watching: print each new difference, and \'=\' for a key that no longer differs'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l for -d 'Count writes for this time' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l endpoints -d 'Connect to these endpoints, trying them in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l api -d 'Use this version of etcd\'s API' -r -f -a "auto\t'The API that the server has'
v2\t'The v2 API, /v2/keys'
v3\t'The v3 API, through the JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -s o -l output -d 'Print records in this format' -r -f -a "text\t'TAB-separated fields: index, action, key, value'
json\t'One JSON object per line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l color -d 'Choose when to use colours' -r -f -a "auto\t'Use colours on a terminal, unless NO_COLOR is set or TERM is \'dumb\''
always\t'Use colours always'
never\t'Use no colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l connect-timeout -d 'Limit the time to connect to an endpoint, with DNS, TCP and TLS' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l timeout -d 'Limit the time of the whole command, and exit with 124 when it runs out' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l user -d 'Authenticate as this user' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l password-file -d 'Read the user\'s password from this file, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l cacert -d 'Trust the certificate authorities in this file instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l cert -d 'Present the client certificate in this file to the server' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l key -d 'Read the private key of the client certificate from this file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l proxy -d 'Connect through this HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l max-event -d 'Limit the size of an event or a reply' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -s q -l quiet -d 'Suppress the notices and the spinner on standard error, but not errors'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -s v -l verbose -d 'Print each request as a curl command, and each connection change, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l insecure-skip-tls-verify -d 'Skip the verification of the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "get" -d 'Print the value of a key, or list a directory'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "set" -d 'Write a value, or create a directory'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "rm" -d 'Remove a key or a directory'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "watch" -d 'Wait for one event, or stream every event'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "replay" -d 'Print the events in the server\'s history'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "check" -d 'Compare a subtree with a file and print the differences'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "doctor" -d 'Check whether a cluster is fit to be watched'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c etcdwatch -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -a "bash elvish fish powershell zsh"
