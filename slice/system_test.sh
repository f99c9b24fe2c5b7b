#!/bin/sh
# Runs the kernel tests of this package and of noded/launcher in a virtual
# machine whose cgroups are version 2, as root and as an ordinary user.
#
#   KERNEL=/boot/vmlinuz-... slice/system_test.sh
#   RUN=REGEX    only these tests
#
# Needs go, qemu-system-x86_64, cpio, a static busybox, and a kernel with
# cgroups, namespaces and an initramfs built in, such as Debian's
# linux-image-cloud-amd64. Without them it says what is missing, and skips.
set -eu
cd "$(dirname "$0")/.."
kernel=${KERNEL:-$(ls /boot/vmlinuz-* 2>/dev/null | tail -1)}
busybox=${BUSYBOX:-$(command -v busybox || true)}
for need in go qemu-system-x86_64 cpio; do
	command -v $need >/dev/null || { echo "SKIP: $need is not installed"; exit 0; }
done
[ -r "$kernel" ] || { echo "SKIP: no kernel to run (KERNEL=FILE)"; exit 0; }
[ -x "$busybox" ] || { echo "SKIP: no busybox (BUSYBOX=FILE)"; exit 0; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
root=$dir/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/mnt" "$root/etc"
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
for a in sh ls cat echo sleep setsid awk grep cut head tr wc ps id hostname touch stty tty test mount umask pwd true kill; do
	ln -s busybox "$root/bin/$a"
done
mkdir -p "$root/usr"
ln -s ../bin "$root/usr/bin"
echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
for p in slice noded/launcher; do
	CGO_ENABLED=0 go test -c -o "$root/$(basename $p).test" "./$p"
done
# A root in the initramfs cannot be left with pivot_root: it is copied to one that can.
cat >"$root/init" <<'EOF'
#!/bin/sh
mount -t tmpfs -o mode=755,size=80% root /mnt
/bin/busybox cp -a /bin /usr /etc /proc /sys /dev /tmp /main /slice.test /launcher.test /mnt/
/bin/busybox mkdir /mnt/mnt
exec /bin/busybox switch_root /mnt /main
EOF
cat >"$root/main" <<EOF
#!/bin/sh
run='${RUN:-.}'
EOF
cat >>"$root/main" <<'EOF'
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm 2>/dev/null || /bin/busybox mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t cgroup2 cg /sys/fs/cgroup
/bin/busybox ip link set lo up
export PATH=/bin HOME=/
cat /proc/version
cat /sys/fs/cgroup/cgroup.controllers
status=OK
for t in /slice.test /launcher.test; do
	cd /
	$t -test.v -test.run "$run" -test.timeout 280s >/tmp/log 2>&1 || status=FAILED
	grep -E '^ *--- (FAIL|SKIP)|^ {8}[^ ]|^(PASS|FAIL|panic)|_test.go' /tmp/log
done
echo "SYSTEM $status"
/bin/busybox poweroff -f
EOF
chmod +x "$root/init" "$root/main"
(cd "$root" && find . | cpio -o -H newc 2>/dev/null) >"$dir/initrd"
timeout "${TIMEOUT:-600}" qemu-system-x86_64 -accel "${ACCEL:-tcg}" -m 1024 -smp 2 -nographic -no-reboot \
	-kernel "$kernel" -initrd "$dir/initrd" -append "console=ttyS0 quiet panic=-1 ${APPEND:-}" </dev/null | tee "$dir/out"
grep -q '^SYSTEM OK' "$dir/out"
