package slice

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
	"github.com/containerd/cgroups/v3/cgroup2"
	"golang.org/x/sys/unix"
)

// Version 1 has a devices controller; version 2 asks a small program about
// every opening and making of a device node. The program is written here and
// loaded through containerd/cgroups, whose own writer of such programs takes
// a request to read and write as allowed when reading alone is.

// fenceV2 attaches the program for rules to a group. Programs of the groups
// above are asked too, and all must agree. It stays for as long as the group.
func fenceV2(dir string, rules []DeviceRule) error {
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = cgroup2.LoadAttachCgroupDeviceFilter(deviceProgram(rules), "Apache", fd)
	return err
}

// deviceProgram decides by the last rule that says something about a request,
// and allows what no rule speaks of.
func deviceProgram(rules []DeviceRule) asm.Instructions {
	// struct bpf_cgroup_dev_ctx: u32 access<<16 | type, u32 major, u32 minor
	out := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Half), // type
		asm.LoadMem(asm.R3, asm.R1, 0, asm.Word),
		asm.RSh.Imm32(asm.R3, 16),                // access
		asm.LoadMem(asm.R4, asm.R1, 4, asm.Word), // major
		asm.LoadMem(asm.R5, asm.R1, 8, asm.Word), // minor
	}
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i]
		next := fmt.Sprintf("rule%d", i)
		if i == 0 {
			next = "rest"
		}
		var block asm.Instructions
		switch r.Type {
		case 'b':
			block = append(block, asm.JNE.Imm(asm.R2, unix.BPF_DEVCG_DEV_BLOCK, next))
		case 'c':
			block = append(block, asm.JNE.Imm(asm.R2, unix.BPF_DEVCG_DEV_CHAR, next))
		}
		access := int32(0)
		for _, c := range r.Access {
			access |= map[rune]int32{'r': unix.BPF_DEVCG_ACC_READ, 'w': unix.BPF_DEVCG_ACC_WRITE, 'm': unix.BPF_DEVCG_ACC_MKNOD}[c]
		}
		const all = unix.BPF_DEVCG_ACC_READ | unix.BPF_DEVCG_ACC_WRITE | unix.BPF_DEVCG_ACC_MKNOD
		switch {
		case r.Allow && access != all: // speaks of a request that asks for nothing else
			block = append(block, asm.Mov.Reg32(asm.R1, asm.R3), asm.And.Imm32(asm.R1, all&^access), asm.JNE.Imm(asm.R1, 0, next))
		case !r.Allow && access != all: // speaks of a request that asks for any of it
			block = append(block, asm.Mov.Reg32(asm.R1, asm.R3), asm.And.Imm32(asm.R1, access), asm.JEq.Imm(asm.R1, 0, next))
		}
		if r.Major >= 0 {
			block = append(block, asm.JNE.Imm(asm.R4, int32(r.Major), next))
		}
		if r.Minor >= 0 {
			block = append(block, asm.JNE.Imm(asm.R5, int32(r.Minor), next))
		}
		verdict := int32(0)
		if r.Allow {
			verdict = 1
		}
		conditional := len(block) > 0
		block = append(block, asm.Mov.Imm32(asm.R0, verdict), asm.Return())
		if i != len(rules)-1 {
			block[0] = block[0].WithSymbol(fmt.Sprintf("rule%d", i+1))
		}
		out = append(out, block...)
		if !conditional {
			return out // earlier rules are never asked: the kernel refuses unreachable code
		}
	}
	end := asm.Mov.Imm32(asm.R0, 1)
	if len(rules) > 0 {
		end = end.WithSymbol("rest")
	}
	return append(out, end, asm.Return())
}
