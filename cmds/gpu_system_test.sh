#!/bin/sh
# Runs the tests of GPUs that look at what a job can open in a virtual machine whose cgroups are version 2: a controller and two
# agents, with NVML's binary interface and device files as in gpu_test.go, and the kernel's device program as the fence.
#
#   KERNEL=/boot/vmlinuz-... cmds/gpu_system_test.sh
#   RUN=REGEX    only these tests
#
# Needs go, a C compiler and what hack/vm needs. Without it says what is missing, and skips. NVML_LIBRARY is the directory of the
# library, as probetest builds it.
set -eu
cd "$(dirname "$0")/.."
for need in go gcc ldd; do
	command -v $need >/dev/null || { echo "SKIP: $need is not installed"; exit 0; }
done
hack/vm ''
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
CGO_ENABLED=1 go test -c -ldflags '-s -w' -o "$root/cmds.test" ./cmds
mkdir "$root/nvml" "$root/etc"
cp "$NVML_LIBRARY/libnvidia-ml.so.1" "$root/nvml/"
for lib in $(ldd "$root/cmds.test" "$root/nvml/libnvidia-ml.so.1" | grep -o '/[^ ]*lib[^ ]*\.so[^ )]*' | grep -v "^$root" | sort -u); do
	mkdir -p "$root$(dirname "$lib")"
	cp -L "$lib" "$root$lib"
done
echo 'passwd: files
group: files' >"$root/etc/nsswitch.conf"
echo '127.0.0.1 vm localhost' >"$root/etc/hosts"
cat >"$root/main" <<END
#!/bin/sh
run='${RUN:-^TestGPUs\$/^(AllOf|APair|None|OneInst|Instances|Alone|Two|Tasks)}'
END
cat >>"$root/main" <<'END'
hostname vm
# Where the test links itself under the names of commands, on the disk it is on.
mkdir -m 1777 /work; export TMPDIR=/work
cd /
status=OK
NVML_LIBRARY=/nvml /cmds.test -test.v -test.run "$run" -test.timeout 500s >/tmp/log 2>&1 || status=FAILED
grep -vE '^=== |level=' /tmp/log | cut -c1-300 | head -120
grep -q '^ *--- PASS' /tmp/log || status=FAILED
echo "SYSTEM $status"
END
MEMORY=${MEMORY:-2048} hack/vm "$root"
