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

complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -s V -l version -d 'Print version'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "get" -d 'Print a key\'s value, or what is in a directory'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "set" -d 'Write a value, or make a directory'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "rm" -d 'Remove a key or a directory'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "watch" -d 'Wait for an event, or stream every event'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "replay" -d 'Print the events of history, up to now'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "check" -d 'Compare a subtree with a file, and print what differs'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "doctor" -d 'Tell whether a watch can be trusted, and what is wrong'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c etcdwatch -n "__fish_etcdwatch_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s r -l recursive -d 'Print all below a directory, as key TAB value'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l sort -d 'Sort by key'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l quorum -d 'Read what a majority agrees on, not only what this member knows; v3 always does'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -l prefix -d 'Print all that begins with KEY, as key TAB value (v3)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l ttl -d 'How long the key lives: whole seconds, or a duration such as 90s or 5m' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l prev-value -d 'Only if the value is V; may be empty' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l prev-index -d 'Only if the last change was at index N' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l dir -d 'Make a directory (v2)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l create -d 'Only if the key is absent'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l update -d 'Only if the key is present'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -l in-order -d 'Write under KEY, to a new name that etcd chooses, each later than the one before (v2)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l prev-value -d 'Only if the value is V; may be empty' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l prev-index -d 'Only if the last change was at index N' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s r -l recursive -d 'Remove a directory with all below it'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l dir -d 'Remove an empty directory (v2)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -l prefix -d 'Remove all that begins with KEY (v3)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l from-index -d 'Begin with the first event at or after index N, from history if it is there' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l after-index -d 'The same as --from-index M+1' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l count -d 'Stop after N events (with --stream)' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l until -d 'Wait until KEY is so: exists, absent, value=V, value!=V or value~REGEX' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l format -d 'Print records by a template: {index} {action} {key} {value} {prev} {time}' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l on-gap -d 'What is done when events were lost; by default \'resync\' with --stream or --until, else \'fail\'' -r -f -a "resync\t'Declare the gap and print the state anew'
diff\t'Declare the gap and print the differences'
continue\t'Declare the gap and go on'
fail\t'End with exit 5'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l checkpoint -d 'Resume where the last run stopped, and note there how far this one came' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l buffer -d 'How many bytes of events may wait for a slow reader of the output' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l stale-after -d 'After how long without confirmation a notice says that the watch is stale' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l idle-timeout -d 'End with exit 124 after so long without an event' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l only -d 'Print only these actions' -r -f -a "get\t''
set\t''
create\t''
update\t''
delete\t''
expire\t''
compareAndSwap\t''
compareAndDelete\t''"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l match -d 'Print only keys that match; may be repeated' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l exec-mode -d 'What is done with events that come while the command runs' -r -f -a "each\t'Run it for every event in turn'
latest\t'Run it for the newest once it has ended'
restart\t'End it and run it for the newest'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l on-exec-failure -d 'What is done where the command fails' -r -f -a "stop\t'End with exit 123'
continue\t'Go on with the next event'
retry\t'Run it again, later and later'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l debounce -d 'Run the command only once nothing new has come for so long' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l grace -d 'How long the command may take to end when it is told to; then it is killed' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s r -l recursive -d 'Watch all below them too'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l prefix -d 'Watch all that begins with KEY (v3)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l stream -d 'Every event, until stopped'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l snapshot -d 'Print the present state first, with no gap between it and the events'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l prev -d 'Show the previous value'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l timestamps -d 'Show when each record was received'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l utc -d 'Show times in UTC'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l diff -d 'Show what became of a value of several lines, or of JSON, line by line'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l expand -d 'Print every key that a removed directory takes with it'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l status -d 'Add records of the watch\'s own state: live, stale, reconnecting'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -l changed -d 'Print only where the value is another than the one before'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l from-index -d 'The first index, or \'oldest\' for the oldest event that the server has' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l after-index -d 'The same as --from-index M+1' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l to-index -d 'The last index; without it, the server\'s at the start' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l count -d 'Stop after N events' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l format -d 'Print records by a template: {index} {action} {key} {value} {prev} {time}' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l on-gap -d 'What is done when events were lost; by default \'resync\' with --stream or --until, else \'fail\'' -r -f -a "resync\t'Declare the gap and print the state anew'
diff\t'Declare the gap and print the differences'
continue\t'Declare the gap and go on'
fail\t'End with exit 5'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l checkpoint -d 'Resume where the last run stopped, and note there how far this one came' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l buffer -d 'How many bytes of events may wait for a slow reader of the output' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l stale-after -d 'After how long without confirmation a notice says that the watch is stale' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l idle-timeout -d 'End with exit 124 after so long without an event' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l only -d 'Print only these actions' -r -f -a "get\t''
set\t''
create\t''
update\t''
delete\t''
expire\t''
compareAndSwap\t''
compareAndDelete\t''"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l match -d 'Print only keys that match; may be repeated' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s r -l recursive -d 'Replay all below them too'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l prefix -d 'Replay all that begins with KEY (v3)'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l follow -d 'Go on as a stream, with no gap between'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l prev -d 'Show the previous value'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l timestamps -d 'Show when each record was received'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l utc -d 'Show times in UTC'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l diff -d 'Show what became of a value of several lines, or of JSON, line by line'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l expand -d 'Print every key that a removed directory takes with it'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l status -d 'Add records of the watch\'s own state: live, stale, reconnecting'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -l changed -d 'Print only where the value is another than the one before'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l ignore -d 'Leave out keys that match; may be repeated' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l subset -d 'More keys may be in etcd than in the file'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l wait -d 'Wait until nothing differs; past --timeout, exit 124'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -l watch -d 'Go on, and print whatever comes to differ, and \'=\' what does so no longer'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l for -d 'For how long writes are counted' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l endpoints -d 'The cluster\'s endpoints, tried in order' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l api -d 'The API to use' -r -f -a "auto\t'What the server has'
v2\t'/v2/keys'
v3\t'The JSON gateway'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -s o -l output -d 'How records are printed' -r -f -a "text\t'TAB-separated: index, action, key, value'
json\t'One JSON object a line'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l color -d 'When to use colours' -r -f -a "auto\t'Colours on a terminal, unless NO_COLOR is set'
always\t'Colours always'
never\t'No colours'"
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l connect-timeout -d 'How long a connection may take: DNS, TCP and TLS, per endpoint' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l timeout -d 'How long the whole command may take; past it, exit 124' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l user -d 'The user to authenticate as' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l password-file -d 'A file with the user\'s password, which only its owner may read' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l cacert -d 'Certificates of the authorities to trust, instead of the system\'s' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l cert -d 'The client\'s certificate, and those that lead to its authority' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l key -d 'The key of the client\'s certificate; without it, it is in the certificate\'s file' -r -F
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l proxy -d 'An HTTP proxy' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l max-event -d 'The largest event or reply that is taken' -r -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -s q -l quiet -d 'No notices and no spinner on standard error; errors stay'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -s v -l verbose -d 'Show each request as a curl command, and each connection, on standard error'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -l insecure-skip-tls-verify -d 'Don\'t check the server\'s certificate'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "get" -d 'Print a key\'s value, or what is in a directory'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "set" -d 'Write a value, or make a directory'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "rm" -d 'Remove a key or a directory'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "watch" -d 'Wait for an event, or stream every event'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "replay" -d 'Print the events of history, up to now'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "check" -d 'Compare a subtree with a file, and print what differs'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "doctor" -d 'Tell whether a watch can be trusted, and what is wrong'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand help; and not __fish_seen_subcommand_from get set rm watch replay check doctor completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c etcdwatch -f
complete -c etcdwatch -n "__fish_etcdwatch_using_subcommand completions" -a "bash elvish fish powershell zsh"
