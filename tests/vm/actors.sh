# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # build and folder: of the suite, as is what it reads
#
# Processes that do what they are told: tests/vm/actor.c. To be sourced, with tests/lib.sh, `folder` set to
# a folder of the suite's own, and a twin that nothing confines started by it.

cgroups=/sys/fs/cgroup
pins=/sys/fs/bpf/porthold/maps

declare -A to from pid # by the name that a suite gives an actor

# As that uid, in that cgroup, under the name of a file.
start() { # ACTOR UID CGROUP FILE [OPTION-OF-SETPRIV...]
	local in=$folder/$1.in out=$folder/$1.out fd

	mkfifo "$in" "$out"
	(
		echo "$BASHPID" >"$cgroups$3/cgroup.procs"
		exec setpriv --reuid "$2" --regid "$2" --clear-groups "${@:5}" "$4" <"$in" >"$out"
	) &
	pid[$1]=$!
	exec {fd}>"$in"
	to[$1]=$fd
	exec {fd}<"$out"
	from[$1]=$fd
	rm "$in" "$out"
}

does() { # ACTOR ACT...
	local answer

	echo "${*:2}" >&"${to[$1]}"
	read -r -t 60 answer <&"${from[$1]}" || answer="no answer"
	echo "$answer"
}

end() { # ACTOR...
	local actor fd

	for actor; do
		fd=${to[$actor]}
		echo end >&"$fd"
		exec {fd}>&-
		fd=${from[$actor]}
		exec {fd}<&-
		wait "${pid[$actor]}" 2>/dev/null || true
	done
}

counted() {
	"$build/counters" "$pins/ph_counters"
}

# What is allowed works just before, the answer is exact, one call is counted, and the twin, whom
# nothing confines, may do it.
held() { # WHAT ACTOR ALLOWED DENIED
	local before

	equal "$1: $3 works" ok "$(does "$2" connect "$3")"
	before=$(counted)
	equal "$1: $4 gets EPERM" EPERM "$(does "$2" connect "$4")"
	equal "$1: counted once" 1 $(($(counted) - before))
	equal "$1: $4 works for the twin" ok "$(does twin connect "$4")"
}

free() { # WHAT ACTOR
	equal "$1: 8080 works" ok "$(does "$2" connect 8080)"
}

# The ports that one may have, of the four: of the first kind of policy, the second, both, none.
ports() { # ACTOR
	does "$1" ports 4041 3
}
