#!/bin/sh
# Runs the kernel tests of this package and of noded/launcher, and of noded those
# that are about cgroups, in a virtual machine whose cgroups are version 2, as root
# and as an ordinary user.
#
#   KERNEL=/boot/vmlinuz-... slice/system_test.sh
#   RUN=REGEX    only these tests
#
# Needs go and what hack/vm needs. Without it says what is missing, and skips.
set -eu
TIMEOUT=${TIMEOUT:-900}; export TIMEOUT
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "SKIP: go is not installed"; exit 0; }
hack/vm ''
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for p in slice noded/launcher noded; do
	CGO_ENABLED=0 go test -c -o "$root/$(basename $p).test" "./$p"
done
cat >"$root/main" <<END
#!/bin/sh
run='${RUN:-.}'
END
cat >>"$root/main" <<'END'
status=OK
for t in /slice.test /launcher.test /noded.test; do
	cd /
	[ $t != /noded.test ] || [ "$run" != . ] || run='Sessions|Killed|Cgroup|RestartOfTheAgent|OutOfMemory|OutputWaits'
	$t -test.v -test.run "$run" -test.timeout 500s >/tmp/log 2>&1 || status=FAILED
	grep -E '^ *--- (FAIL|SKIP)|^ {8}[^ ]|^(PASS|FAIL|panic)|_test.go' /tmp/log
done
echo "SYSTEM $status"
END
hack/vm "$root"
