# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Completion for bash. Verbs, options and their values are what porthold's own help says.

# "VERB" each.
_porthold_verbs() {
	"$1" --help 2>/dev/null | sed -nE 's/^  porthold ([a-z]+).*/\1/p'
}

# "--option" or "--option VALUE" each.
_porthold_options() { # PORTHOLD VERB
	"$1" "$2" --help 2>/dev/null | sed -nE 's/^  (--[a-z-]+)(, -[a-z])?( [^ ]+)? .*/\1\3/p'
}

# What stands for the value of that option, if it takes one.
_porthold_placeholder() { # PORTHOLD VERB OPTION
	_porthold_options "$1" "$2" | sed -n "s/^$3 //p"
}

_porthold_policies() {
	cat /run/porthold/policy.d/*.yaml /etc/porthold/policy.d/*.yaml 2>/dev/null |
		sed -nE 's/^ *- name: *"?([^"]*)"?$/\1/p' | sort -u
}

_porthold_processes() {
	ps --deselect --ppid 2 -p 2 -o comm= 2>/dev/null | sort -u
}

# What selftest names to whoever asks for a door that is none.
_porthold_doors() { # PORTHOLD
	"$1" selftest --door '?' 2>&1 | sed -n 's/.*; one of: //p' | tr ' ' '\n'
}

# The words that may stand for a placeholder; nothing where they are the user's to choose.
_porthold_values() { # PLACEHOLDER PORTHOLD
	case $1 in
	*'|'*) echo "${1//|/$'\n'}" ;;
	NAME) _porthold_processes ;;
	POLICY) _porthold_policies ;;
	DOOR) _porthold_doors "$2" ;;
	PID) ps -eo pid= 2>/dev/null ;;
	esac
}

# The words that are no options.
_porthold_arguments() { # VERB
	case $1 in
	allow) _porthold_processes ;;
	remove | run) _porthold_policies ;;
	mode)
		_porthold_policies
		printf '%s\n' audit enforce
		;;
	explain) printf '%s\n' connect bind listen accept send receive socket tcp udp ;;
	esac
}

# Lines to COMPREPLY, those that begin with what was typed.
_porthold_offer() { # TYPED
	local line

	while IFS= read -r line; do
		[[ -n $line && $line == "$1"* ]] && COMPREPLY+=("$(printf '%q' "$line")")
	done
}

# The command behind "--", which is not ours.
_porthold_foreign() { # TYPED BEFORE
	if [[ $2 == -- ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$1" | sort -u)
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$1")
	fi
}

_porthold() {
	local program=$1 typed=$2 before=$3 verb=${COMP_WORDS[1]} placeholder

	COMPREPLY=()
	if (( COMP_CWORD == 1 )); then
		_porthold_offer "$typed" < <(_porthold_verbs "$program"; printf '%s\n' --help --version)
		return
	fi
	if [[ " ${COMP_WORDS[*]:2:COMP_CWORD-2} " == *" -- "* ]]; then
		_porthold_foreign "$typed" "$before"
		return
	fi
	placeholder=
	[[ $before != --* ]] || placeholder=$(_porthold_placeholder "$program" "$verb" "$before")
	if [[ $placeholder == PATH || $placeholder == FILE ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$typed")
	elif [[ -n $placeholder ]]; then
		_porthold_offer "$typed" < <(_porthold_values "$placeholder" "$program")
	elif [[ $typed == -* ]]; then
		_porthold_offer "$typed" < <(_porthold_options "$program" "$verb" | sed 's/ .*//')
	elif [[ $verb == check || $verb == apply ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$typed")
	else
		_porthold_offer "$typed" < <(_porthold_arguments "$verb")
	fi
}

complete -o filenames -F _porthold porthold
