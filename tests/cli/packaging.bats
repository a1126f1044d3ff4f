#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is installed beside the program: manual pages that name every verb and option,
# completions that offer them, and nothing that is not expected.

# shellcheck disable=SC2030,SC2031 # status and output: what bats' run sets
bats_require_minimum_version 1.5.0
load lib

packaging=$BATS_TEST_DIRNAME/../../tools/packaging
build=$(dirname "$PORTHOLD")

verbs() {
	porthold --help | sed -n 's/^  porthold \([a-z]*\).*/\1/p'
}

options() { # VERB
	porthold "$1" --help | sed -nE 's/^  --([a-z-]+).*/\1/p'
}

all_options() {
	local verb

	for verb in $(verbs); do
		options "$verb"
	done | sort -u
}

# --- Manual pages

@test "the manual pages have no fault" {
	mandoc -T lint -W warning "$packaging"/man/*.[58]
	for page in "$packaging"/man/*.[58]; do
		run -0 --separate-stderr env MANWIDTH=80 man --warnings -l "$page"
		# shellcheck disable=SC2154 # what bats' run sets
		[[ -z $stderr && ${#lines[@]} -gt 50 ]] || fail "$page: $stderr"
	done
}

@test "porthold(8) has every verb, and no other" {
	[[ $(verbs | wc -l) -ge 11 ]]
	sed -nE '/^\.Sh VERBS/,/^\.Ss/s/^\.It Cm ([a-z]+).*/\1/p' "$packaging/man/porthold.8" |
		sort | diff <(verbs | sort) -
}

@test "porthold(8) has every option, and no other" {
	[[ $(all_options | wc -l) -ge 15 ]]
	grep -oP 'Fl (f , )?-\K[a-z][a-z-]+' "$packaging/man/porthold.8" | grep -vx version |
		sort -u | diff <(all_options) -
}

# What the manual says below a verb, nested lists included.
manual_of() { # VERB
	awk -v verb="$1" '
		/^\.Bl/ { depth++ }
		/^\.El/ { depth-- }
		depth == 1 && /^\.It Cm/ { shown = $3 == verb }
		/^\.Ss/ { exit }
		shown' "$packaging/man/porthold.8"
}

@test "porthold(8) has the options of each verb with it" {
	for verb in $(verbs); do
		manual_of "$verb" | grep -oP 'Fl (f , )?-\K[a-z][a-z-]+' | sort -u >"$BATS_TEST_TMPDIR/manual" ||
			true
		options "$verb" | grep -vx help | sort >"$BATS_TEST_TMPDIR/help" || true
		diff "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/manual" || fail "$verb"
	done
}

@test "the policies in porthold.policy(5) are right" {
	sed -n '/^\.Bd/,/^\.Ed/{/^\.Ed/a ---
		/^\.[BE]d/!p}' "$packaging/man/porthold.policy.5" |
		csplit -sz -f "$BATS_TEST_TMPDIR/policy" --suppress-matched - '/^---$/' '{*}'
	: >"$BATS_TEST_TMPDIR/resolvers"
	policies=("$BATS_TEST_TMPDIR"/policy*)
	[[ ${#policies[@]} -ge 3 ]]
	for policy in "${policies[@]}"; do
		run -0 porthold check --resolvers "$BATS_TEST_TMPDIR/resolvers" "$policy"
	done
}

# --- Completions

# What bash would offer behind these words, the last of which is being typed.
bash_offers() { # WORD...
	PATH=$build:$PATH bash -c '
		source "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_porthold porthold "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}"' - "$packaging/completions/porthold.bash" "$@"
}

fish_offers() { # TYPED
	PATH=$build:$PATH fish --no-config -c "source $packaging/completions/porthold.fish
		complete -C'$1'" | sed 's/\t.*//'
}

zsh_calls() { # FUNCTION ARGUMENT...
	PATH=$build:$PATH zsh -fc 'source "$1"; shift; "$@"' - "$packaging/completions/_porthold" "$@"
}

@test "completions offer every verb" {
	bash_offers porthold "" | grep -v '^--' | sort | diff <(verbs | sort) -
	fish_offers "porthold " | sort | diff <(verbs | sort) -
	zsh_calls _porthold_verbs porthold | sed 's/:.*//' | sort | diff <(verbs | sort) -
	[[ $(bash_offers porthold che) == check ]]
}

@test "completions offer every option" {
	for verb in $(verbs); do
		options "$verb" | sed 's/^/--/' | sort >"$BATS_TEST_TMPDIR/options"
		bash_offers porthold "$verb" -- | sort | diff "$BATS_TEST_TMPDIR/options" -
		fish_offers "porthold $verb --" | sort | diff "$BATS_TEST_TMPDIR/options" -
		zsh_calls _porthold_specs porthold "$verb" | sed 's/\[.*//' | sort |
			diff "$BATS_TEST_TMPDIR/options" -
	done
}

@test "completions offer the values of options" {
	expected=$'auto\nbest\ncgroup\nlsm'
	[[ $(bash_offers porthold allow --backend "" | sort) == "$expected" ]]
	[[ $(fish_offers "porthold allow --backend " | sort) == "$expected" ]]
	[[ $(zsh_calls _porthold_specs porthold allow) == *":(auto best lsm cgroup)"* ]]
}

@test "completions offer the doors" {
	[[ $(bash_offers porthold selftest --door "" | sort | xargs) == *"bpf children connect"* ]]
	[[ $(bash_offers porthold selftest --door spl) == splice-read ]]
	[[ $(fish_offers "porthold selftest --door spl") == splice-read ]]
	[[ $(zsh_calls _porthold_specs porthold selftest) == *":(connect bind "*" splice-read "* ]]
}

@test "completions offer files to check" {
	cd "$BATS_TEST_TMPDIR" || return
	touch policy.yaml
	[[ $(bash_offers porthold check pol) == policy.yaml ]]
	[[ $(fish_offers "porthold check pol") == policy.yaml ]]
	zsh -n "$packaging/completions/_porthold"
}

@test "completions offer no policy where there is none, and complain of nothing" {
	[[ -z $(bash_offers porthold remove "no-such" 2>&1) ]]
	run fish_offers "porthold remove no-such"
	[[ -z $output ]] || fail "$output"
}

@test "completions offer commands behind --, and files behind these" {
	cd "$BATS_TEST_TMPDIR" || return
	touch policy.yaml
	bash_offers porthold run 4040 -- setpri | grep -qx setpriv
	fish_offers "porthold run 4040 -- setpri" | grep -qx setpriv
	[[ $(bash_offers porthold run 4040 -- cat pol) == policy.yaml ]]
	[[ $(fish_offers "porthold run 4040 -- cat pol") == policy.yaml ]]
}

# --- Installing

install_into() { # FOLDER
	DESTDIR=$1 meson install -C "$build" --no-rebuild
}

# "PATH" of each file, "PATH/" of each folder that is empty.
installed_in() { # FOLDER
	(cd "$1" && find . ! -type d -printf '%P\n' -o -type d -empty -printf '%P/\n' | sort)
}

prefix() {
	meson introspect --buildoptions "$build" | jq -r '.[] | select(.name == "prefix").value'
}

expected_files() {
	local usr example

	usr=$(prefix)
	usr=${usr#/}
	cat <<-END
		etc/porthold/policy.d/
		etc/porthold/porthold.yaml
		$usr/lib/systemd/system/porthold.service
		$usr/sbin/porthold
		$usr/share/bash-completion/completions/porthold
		$usr/share/fish/vendor_completions.d/porthold.fish
		$usr/share/man/man5/porthold.policy.5
		$usr/share/man/man8/porthold.8
		$usr/share/porthold/porthold.policy.schema.json
		$usr/share/zsh/site-functions/_porthold
		var/lib/porthold/
	END
	for example in "$packaging"/../examples/*.yaml; do
		echo "$usr/share/doc/porthold/examples/${example##*/}"
	done
}

@test "what is installed" {
	root=$BATS_TEST_TMPDIR/root
	run -0 install_into "$root"
	installed_in "$root" | diff <(expected_files | sort) -
	[[ $("$root/$(prefix)/sbin/porthold" --version) == "porthold "[0-9]* ]]
	[[ $(stat -c %a "$root/var/lib/porthold" "$root/etc/porthold/policy.d") == $'700\n755' ]]
	grep -qx "ExecStart=$(prefix)/sbin/porthold daemon" \
		"$root/$(prefix)/lib/systemd/system/porthold.service"
	run -0 porthold check "$root/$(prefix)/share/doc/porthold/examples"
}

@test "installing again keeps the settings; uninstalling leaves them alone" {
	root=$BATS_TEST_TMPDIR/root
	run -0 install_into "$root"
	echo "# mine" >>"$root/etc/porthold/porthold.yaml"
	run -0 install_into "$root"
	tail -n 1 "$root/etc/porthold/porthold.yaml" | grep -qx "# mine"
	run -0 ninja -C "$build" uninstall
	[[ $(installed_in "$root" | grep -v '/$') == etc/porthold/porthold.yaml ]] ||
		fail "$(installed_in "$root")"
}
