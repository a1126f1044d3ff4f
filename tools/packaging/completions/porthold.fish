# SPDX-License-Identifier: GPL-2.0-or-later
#
# Completion for fish. Verbs, options and their values are what porthold's own help says.

function __porthold_program
    set -l words (commandline -opc)
    echo $words[1]
end

function __porthold_verb
    set -l words (commandline -opc)
    set -q words[2]; and echo $words[2]
end

# "VERB	what it does" each.
function __porthold_verbs
    set -l program (__porthold_program)
    $program --help 2>/dev/null | string replace -rf '^  porthold ([a-z]+) +(?:.*  +)?([^ ].*)' '$1'\t'$2'
end

# The help line of the option, or of all: "--option", "VALUE", "what", parted by tabs.
function __porthold_options
    set -l program (__porthold_program)
    $program (__porthold_verb) --help 2>/dev/null |
        string replace -rf '^  (--[a-z-]+)(?:, -[a-z])?(?: ([^ ]+))? +(.*)' '$1'\t'$2'\t'$3'
end

function __porthold_policies
    # Only set bears a wildcard that nothing matches.
    set -l files /run/porthold/policy.d/*.yaml /etc/porthold/policy.d/*.yaml
    set -q files[1]; or return
    cat $files 2>/dev/null |
        string replace -rf '^ *- name: *"?([^"]*)"?$' '$1' | sort -u
end

function __porthold_processes
    ps --deselect --ppid 2 -p 2 -o comm= 2>/dev/null | sort -u
end

# What selftest names to whoever asks for a door that is none.
function __porthold_doors
    set -l program (__porthold_program)
    $program selftest --door '?' 2>&1 | string replace -rf '.*; one of: ' '' | string split ' '
end

function __porthold_values --argument-names placeholder
    switch $placeholder
        case '*|*'
            string split '|' $placeholder
        case NAME
            __porthold_processes
        case POLICY
            __porthold_policies
        case DOOR
            __porthold_doors
        case PID
            ps -eo pid= 2>/dev/null | string trim
        case PATH FILE
            __fish_complete_path (commandline -ct)
    end
end

function __porthold_arguments
    switch (__porthold_verb)
        case allow
            __porthold_processes
        case remove run
            __porthold_policies
        case mode
            __porthold_policies
            printf '%s\n' audit enforce
        case check apply
            __fish_complete_path (commandline -ct)
        case explain
            printf '%s\n' connect bind listen accept send receive socket tcp udp
    end
end

# All that can stand behind a verb.
function __porthold_words
    set -l words (commandline -opc)
    if set -l end (contains -i -- -- $words)
        complete -C (string join ' ' -- $words[(math $end + 1)..-1] (commandline -ct))
        return
    end
    for option in (__porthold_options)
        set -l parts (string split \t -- $option)
        if test "$parts[1]" = "$words[-1]" -a -n "$parts[2]"
            __porthold_values $parts[2]
            return
        end
    end
    if string match -q -- '-*' (commandline -ct)
        for option in (__porthold_options)
            set -l parts (string split \t -- $option)
            printf '%s\t%s\n' $parts[1] $parts[3]
        end
    else
        __porthold_arguments
    end
end

complete -c porthold -f
complete -c porthold -n 'test -z (__porthold_verb)' -a '(__porthold_verbs)'
complete -c porthold -n 'test -n (__porthold_verb)' -a '(__porthold_words)'
