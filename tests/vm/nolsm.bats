#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A boot without the BPF LSM: refused, with the remedy; the weaker backend on request,
# which says what it leaves open.

bats_require_minimum_version 1.5.0
load ../cli/lib

@test "allow is refused, and names both ways out" {
	before=$(everything)
	complains 4 "the BPF LSM is not active" porthold allow 4040 myprocess
	[[ $output == *"lsm=$(cat /sys/kernel/security/lsm),bpf to the kernel's command line"* ]]
	[[ $output == *"--backend best"* ]]
	[[ $(everything) == "$before" ]]
}

@test "--backend lsm is refused" {
	before=$(everything)
	complains 4 "the BPF LSM is not active" porthold allow --backend lsm 4040 myprocess
	complains 4 "the BPF LSM is not active" porthold allow --backend auto 4040 myprocess
	[[ $(everything) == "$before" ]]
}

@test "doctor says no, and why" {
	run -1 porthold doctor
	[[ $output == *"NO "*"BPF LSM is active: boot with lsm=$(cat /sys/kernel/security/lsm),bpf"* ]]
	[[ $(porthold doctor --json | jq '.backends.lsm.available') == false ]]
}

@test "--backend best works and names the doors that are open" {
	run -0 porthold allow --backend best 4040 myprocess
	[[ $output == *"backend cgroup"* ]]
	for door in listen families handed-over; do
		[[ $output == *"  $door "* ]] || fail "no $door in: $output"
	done
}

@test "status tells the same, and that it is less" {
	run -0 porthold status
	[[ $output == *DEGRADED*"backend cgroup"* ]]
	[[ $(porthold status --json | jq -r '.degraded, .backend' | tr '\n' ' ') == "true cgroup " ]]
	[[ $(porthold status --json | jq '.open_doors | length') -ge 3 ]]
}

@test "what was accepted once is not asked for again" {
	run -0 porthold allow 4040,8080 myprocess
	[[ $(in_force) == myprocess ]]
}

@test "but --backend lsm is still refused" {
	before=$(everything)
	complains 4 "the BPF LSM is not active" porthold allow --backend lsm 4040 myprocess
	[[ $(everything) == "$before" ]]
}

@test "stop" {
	run -0 porthold stop
	[[ ! -e /sys/fs/bpf/porthold ]]
}

@test "after stop it is asked for again" {
	complains 4 "the BPF LSM is not active" porthold allow 4040 myprocess
}

# The last one: nothing takes a lockdown back before the next boot.
@test "a lockdown that forbids to read the kernel: the cause, and what to boot with" {
	echo confidentiality >/sys/kernel/security/lockdown
	before=$(everything)
	complains 3 "the kernel is locked down (lockdown=confidentiality): no BPF program may read its memory, and those of porthold must; boot with lockdown=integrity, or without lockdown=" \
		porthold allow --backend cgroup 4040 myprocess
	[[ $(everything) == "$before" ]]
	run -1 porthold doctor
	[[ $output == *"NO   BPF programs may read kernel memory: boot with lockdown=integrity on the kernel's command line, or without it"* ]] || fail "$output"
	[[ $output == *"Backend cgroup: not here."* ]] || fail "$output"
}
