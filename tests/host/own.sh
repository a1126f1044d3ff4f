# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # some of it is given by whoever sources it, or for it
#
# A world of its own for suites with the cgroup backend on this machine itself: a cgroup, namespaces,
# a bpffs and directories, a program to be held, and a daemon.
#
# To be sourced with `build` set, after tests/lib.sh. Whoever sources it goes on inside.

# --- Outside of the namespaces

enter() {
	local mount cgroup status=0

	mount=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	[[ $mount ]] || { note "no cgroup2 hierarchy"; exit 1; }
	cgroup=$mount/porthold-${0##*/}-$$
	mkdir "$cgroup"
	IN_NAMESPACE=$cgroup unshare --mount --net --pid --fork --mount-proc --kill-child \
		"$0" "$build" || status=$?
	within 10 rmdir "$cgroup" 2>/dev/null || { echo "not ok - $cgroup stays"; status=1; }
	exit $status
}

[[ ${IN_NAMESPACE:-} ]] || enter
cgroup=$IN_NAMESPACE
folder=$(mktemp -d)
trap 'report_early_end; rm -rf "$folder"' EXIT

etc=/etc/porthold/policy.d run=/run/porthold/policy.d

prepare() {
	# From in here: a cgroup that holds processes of other pid namespaces is not covered from here.
	echo $$ >"$cgroup/cgroup.procs"
	ip link set lo up
	mount -t tmpfs own /run
	! mountpoint -q /sys/fs/bpf || umount /sys/fs/bpf
	mount -t bpf own /sys/fs/bpf
	mkdir -p /etc/porthold /var/lib/porthold
	mount -t tmpfs own /etc/porthold
	mount -t tmpfs own /var/lib/porthold
	chmod 755 "$folder"
	mkdir "$folder/bin" "$folder/new"
	cp "$build/reach" "$folder/bin/heldproc"
	cp "$build/reach" "$folder/bin/other"
	options=(--backend cgroup --attach "$cgroup")
}

# Each test begins with nothing in force, and no file anywhere.
anew() {
	"$porthold" stop >/dev/null || true
	rm -rf /etc/porthold/* /var/lib/porthold/* /run/porthold/policy.d /run/porthold/stopped
	rm -rf "${folder:?}"/new/*
	mkdir -p "$etc"
}

# --- What there is, and what is done

reach() { # [NAME]: whether it reaches 4040 and 4041
	"$folder/bin/${1:-heldproc}" 4040 4041
}

policy() { # NAME COMM RULES...
	printf 'porthold: 1\npolicies:\n  - name: %s\n    match: {comm: %s}\n    allow:\n' "$1" "$2"
	printf '      - %s\n' "${@:3}"
}

# Sets result and output, both streams.
try() { # COMMAND...
	result=0
	output=$("$@" 2>&1) || result=$?
}

quietly() {
	try "$@"
	(( result == 0 )) || not_ok "$*: status $result: $output"
}

# --- A daemon

write_settings() {
	printf 'porthold: 1\nbackend: cgroup\nattach: %s\nsinks: [stderr]\nmetrics: %s\n' "$cgroup" \
		"$folder/metrics" >/etc/porthold/porthold.yaml
}

metric() { # NAME
	curl -sf --unix-socket "$folder/metrics" http://localhost/metrics | sed -n "s/^$1 //p"
}

# Its mounts are its own; what the first process mounts comes to it, as to a service.
start_daemon() { # COMMAND...: becomes the daemon
	local i

	write_settings
	unshare --mount --propagation slave "$@" >"$folder/daemon" 2>&1 &
	daemon=$!
	for (( i = 0; i < 300; i++ )); do
		reload
		[[ $result == 3 ]] || return 0
		kill -0 "$daemon" 2>/dev/null || return 0
		sleep 0.1
	done
	not_ok "the daemon starts: $(tail -n 3 "$folder/daemon")"
}

reload() {
	try "$porthold" daemon --reload
}

end_daemon() { # Sets result to its status
	result=0
	kill "$daemon" 2>/dev/null || true
	wait "$daemon" || result=$?
}
