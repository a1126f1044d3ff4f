#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The table of complaints: each says where it is, what is wrong and what would be right, in one
# line, with the line of the file and a mark below it, and is the only one. PORTHOLD names the
# binary; nothing is applied.

bats_require_minimum_version 1.5.0
load lib

setup() {
	enter_own_folder
}

# WHERE | WHAT IS WRONG | WHAT WOULD BE RIGHT | the line of a policy that has it
complaints() {
	cat <<-'END'
	4:23|the process name 'ngin*' is a pattern, and patterns are not supported|write one policy for each name|match: {comm: ngin*}
	4:24|the path of the program '/opt/a*' is a pattern|write one policy for each program|match: {exe: /opt/a*}
	4:25|the cgroup '/a/b*' is a pattern|write /a, which means all below it|match: {cgroup: /a/b*}
	4:20|the unit 'a*.scope' is a pattern|a slice holds all units in it|match: {unit: a*.scope}
	4:19|'/usr/bin/curl' is a path, not a process name|write curl for the process name|match: {comm: /usr/bin/curl}
	4:19|the process name 'abcdefghijklmnop' is 16 bytes long, and the kernel keeps 15|write 'abcdefghijklmno'|match: {comm: abcdefghijklmnop}
	4:18|the path of the program does not begin with a slash|write the whole path|match: {exe: curl}
	4:19|the unit 'web' does not end in .service, .scope or .slice|write its whole name, such as web.service|match: {unit: web}
	4:21|every process is in the cgroup '/'|name one below it|match: {cgroup: /}
	4:18|'root' is not a user id|write the number; id -u NAME shows it|match: {uid: root}
	4:13|unknown key 'gid'|groups are not matched|match: {gid: 5}
	4:13|unknown key 'user'|write uid: and the number|match: {user: web}
	4:13|unknown key 'path'|write exe: and the path of the program|match: {path: /bin/true}
	4:12|match is empty, which would confine every process|name at least one of comm, exe, cgroup, unit and uid|match: {}
	5:17|port 0 does not exist|write a port from 1 to 65535|allow: [tcp 0]
	5:17|port 65536 is too large|the largest port is 65535|allow: [tcp 65536]
	5:17|the range '9-1' runs backwards|write 1-9|allow: [tcp 9-1]
	5:17|'80/tcp' is not a port|in a rule the protocol comes first: tcp 80|allow: [tcp 80/tcp]
	5:13|'sctp' does not begin a rule|a rule begins with connect, bind, tcp, udp, socket, dns or loopback|allow: [sctp 80]
	5:13|'deny' does not begin a rule|leave the rule out: what no rule allows is denied|allow: [deny tcp 80]
	5:20|to needs connect before tcp|write connect tcp|allow: [tcp 80 to 10.0.0.1]
	END
}

# Everything but the line is right.
write() { # LINE
	printf 'porthold: 1\npolicies:\n  - name: p\n' >p.yaml
	[[ $1 == match:* ]] || echo "    match: {comm: setpriv, uid: 7}" >>p.yaml
	echo "    $1" >>p.yaml
	[[ $1 == allow:* ]] || echo "    allow: []" >>p.yaml
}

@test "each complaint of a file: place, cause, remedy, and the line" {
	n=0
	while IFS='|' read -r place wrong right line; do
		write "$line"
		run -1 "$PORTHOLD" check --elsewhere --resolvers resolv.conf p.yaml
		[[ ${lines[0]} == "p.yaml:$place: $wrong"*"; "*"$right"* ]] || fail "$line: $output"
		[[ ${lines[1]} == "        $line" && ${lines[2]} =~ ^\ +\^$ ]] || fail "$line: $output"
		((${#lines[@]} == 4)) || fail "$line: $output"
		n=$((n + 1))
	done < <(complaints)
	((n > 20)) || fail "only $n were tried"
}

@test "a warning has the same form" {
	write "allow: [dns, connect tcp 80 to 10.0.0.0]"
	run -0 "$PORTHOLD" check --elsewhere --resolvers resolv.conf p.yaml
	[[ ${lines[0]} == "p.yaml:5:18: warning: to 10.0.0.0 is one host, and looks like a network; write 10.0.0.0/8 if the network is meant" ]] ||
		fail "$output"
	((${#lines[@]} == 4)) || fail "$output"
	write "allow: [tcp 53]"
	run -0 "$PORTHOLD" check --elsewhere --resolvers resolv.conf p.yaml
	[[ ${lines[0]} == "p.yaml:3:5: warning: policy p lets DNS through over TCP alone: names are asked for over UDP (port 53 of 192.0.2.53), so most cannot be resolved; add dns to the rules"* ]] ||
		fail "$output"
	write "allow: [tcp 53, udp 53]"
	run -0 "$PORTHOLD" check --elsewhere --resolvers resolv.conf p.yaml
	[[ $output == *": all is well" ]] || fail "$output"
}

@test "explain: a rule that grants more than was asked for says so" {
	write "allow: []"
	run -1 "$PORTHOLD" explain --policy p.yaml --name setpriv bind tcp 80
	[[ $output == *"to allow it in every case, add: bind tcp 80 (to listen there, too; no rule grants a client's own port alone)"* ]] ||
		fail "$output"
	run -1 "$PORTHOLD" explain --policy p.yaml --name setpriv connect tcp 10.0.0.1:80
	[[ $output == *"add: connect tcp 80 to 10.0.0.1" ]] || fail "$output"
}
