# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A deadline that a slow machine does not miss: its seconds are those of one that nobody else uses. How slow
# this one is at the moment is tried while waiting, by work that is always the same.

# How much, and the microseconds it takes; what is emulated takes 18 times as long.
if grep -q 'TCG CPU' /proc/cpuinfo; then
	yardstick=2000 yardstick_takes=70000
else
	yardstick=20000 yardstick_takes=40000
fi

# Sets deadline_now: in hundredths of a second, by a clock that nobody sets.
look_at_clock() {
	local uptime

	read -r uptime _ </proc/uptime
	deadline_now=$((10#${uptime/./}))
}

# Sets deadline_slow: how long the work takes, in percent of what it should.
try_yardstick() {
	local i before

	look_at_clock
	before=$deadline_now
	for (( i = 0; i < yardstick; i++ )); do :; done
	look_at_clock
	deadline_slow=$((1000000 * (deadline_now - before) / yardstick_takes))
	(( deadline_slow > 100 )) || deadline_slow=100
}

within() { # SECONDS COMMAND...: tries until it succeeds
	local deadline_left=$((100 * $1)) deadline_now deadline_last deadline_slow=100 deadline_tried=-1000

	look_at_clock
	deadline_last=$deadline_now
	until "${@:2}"; do
		(( deadline_left > 0 )) || return 1
		sleep 0.1
		look_at_clock
		(( deadline_now - deadline_tried < 200 )) || { try_yardstick; deadline_tried=$deadline_now; }
		deadline_left=$((deadline_left - (deadline_now - deadline_last) * 100 / deadline_slow))
		deadline_last=$deadline_now
	done
}
