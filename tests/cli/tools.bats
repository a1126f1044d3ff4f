#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tools/vm and tools/setup say of a machine that is not as they need it. QEMU is a script
# here: no machine is started. The kernel 6.12 must be in the cache.

# shellcheck disable=SC2016,SC2030,SC2031 # what others expand; bats runs each test in a subshell
bats_require_minimum_version 1.5.0

setup() {
	tools=$BATS_TEST_DIRNAME/../../tools
	cd "$BATS_TEST_TMPDIR" || return
	mkdir bin
	# Its name has to be another one than that of the initramfs that is in use.
	cp "$tools"/vm "$tools"/vm-* .
	echo "# $BATS_TEST_TMPDIR" >>vm-init
}

teardown() {
	rm -f "$(initramfs)"
}

fail() {
	echo "$*" >&2
	return 1
}

# Writes to the port of the status what is given, after a while, as a guest would.
fake_qemu() { # SECONDS LINE...
	{
		printf '#!/bin/bash\nstatus=$(tr " " "\\n" <<<"$*" | sed -n "s/^file,id=status,path=//p")\n'
		printf 'output=$(tr " " "\\n" <<<"$*" | sed -n "s/^file,id=output,path=//p")\n'
		printf 'echo hello >"$output"\nsleep %s\n' "$1"
		printf 'echo "%s" >>"$status"\n' "${@:2}"
	} >bin/qemu-system-x86_64
	chmod 755 bin/qemu-system-x86_64
}

vm() {
	PATH=$BATS_TEST_TMPDIR/bin:$PATH ./vm --kernel 6.12 -- true
}

# Where what these scripts make is kept.
initramfs() {
	local cache=${PORTHOLD_CACHE:-/var/cache/porthold} busybox sum

	busybox=$(PATH=$cache/busybox:$PATH type -P busybox)
	sum=$(cat vm vm-init "$busybox" | sha256sum)
	echo "$cache/kernels/6.12/initramfs-${sum:0:16}"
}

@test "vm: a dynamic busybox" {
	cp "$(type -P ls)" bin/busybox
	# No other one is looked at first.
	export PORTHOLD_CACHE=$PWD/none
	run -125 --separate-stderr vm
	# shellcheck disable=SC2154 # what bats' run sets
	[[ $stderr == "vm: $PWD/bin/busybox is dynamically linked, and the guest has no libraries; install busybox-static" ]] ||
		fail "$stderr"
}

@test "vm: an initramfs is kept when a machine came up with it, and not before" {
	[[ -d ${PORTHOLD_CACHE:-/var/cache/porthold}/kernels/6.12 ]] || fail "no kernel 6.12"
	fake_qemu 0
	sed -i '/status"$/d' bin/qemu-system-x86_64 # dies before its first word
	run -125 vm
	[[ ! -e $(initramfs) ]] || fail "$(initramfs) is kept"
	fake_qemu 0 start "exit 0 1"
	run -0 vm
	[[ $output == hello ]] || fail "$output"
	[[ -s $(initramfs) ]] || fail "$(initramfs) is not kept"
}

@test "vm: the guest's clock runs too fast" {
	fake_qemu 1 start "exit 3 600"
	run -3 --separate-stderr vm
	[[ $stderr == "vm: kernel 6.12: the guest's clock ran too fast: 600 s in "*" s here" ]] ||
		fail "$stderr"
	fake_qemu 1 start "exit 0 4"
	run -0 --separate-stderr vm
	[[ -z $stderr ]] || fail "$stderr"
}

@test "setup: what is made of Debian or Ubuntu, and what is not" {
	((EUID == 0)) || fail "needs root"
	printf 'ID=linuxmint\nVERSION_ID="22"\nID_LIKE="ubuntu debian"\n' >mint
	printf 'ID=fedora\nVERSION_ID=44\n' >fedora
	setup_on() {
		unshare -m sh -c 'mount --bind "$1" "$(readlink -f /etc/os-release)" && exec "$2"' - "$@"
	}
	run -0 setup_on mint "$tools/setup"
	run -1 setup_on fedora "$tools/setup"
	[[ $output == "setup: knows Debian, Ubuntu and what is made of them only; on fedora install: "* ]]
}
