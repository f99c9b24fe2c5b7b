package slice

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
)

// decide runs a device program as the kernel would.
func decide(t *testing.T, prog asm.Instructions, access, typ, major, minor uint32) bool {
	t.Helper()
	at := map[string]int{}
	for i, ins := range prog {
		if s := ins.Symbol(); s != "" {
			at[s] = i
		}
	}
	var reg [11]uint64
	ctx := map[int16]uint32{0: access<<16 | typ, 4: major, 8: minor}
	for pc, steps := 0, 0; pc < len(prog); pc, steps = pc+1, steps+1 {
		if steps > 1000 {
			t.Fatal("the program does not end")
		}
		ins := prog[pc]
		op := ins.OpCode
		src := uint64(ins.Constant)
		if op.Class().IsJump() || op.Class().IsALU() {
			if op.Source() == asm.RegSource {
				src = reg[ins.Src]
			}
		}
		switch {
		case op.Class() == asm.LdXClass:
			v := ctx[ins.Offset]
			if op.Size() == asm.Half {
				v &= 0xffff
			}
			reg[ins.Dst] = uint64(v)
		case op.Class().IsJump() && op.JumpOp() == asm.Exit:
			return reg[0] != 0
		case op.Class().IsJump():
			taken := reg[ins.Dst] == src
			if op.JumpOp() == asm.JNE {
				taken = !taken
			}
			if taken {
				to, ok := at[ins.Reference()]
				if !ok {
					t.Fatalf("jump to nowhere: %q", ins.Reference())
				}
				pc = to - 1
			}
		case op.ALUOp() == asm.Mov:
			reg[ins.Dst] = src
		case op.ALUOp() == asm.And:
			reg[ins.Dst] &= src
		case op.ALUOp() == asm.RSh:
			reg[ins.Dst] >>= src
		default:
			t.Fatalf("unknown instruction %v", ins)
		}
	}
	t.Fatal("the program runs off its end")
	return false
}

func TestDeviceProgram(t *testing.T) {
	const (
		block, char = 1, 2
		m, r, w     = 1, 2, 4
	)
	allow := func(typ byte, major, minor int64, access string) DeviceRule {
		return DeviceRule{Allow: true, Type: typ, Major: major, Minor: minor, Access: access}
	}
	deny := func(typ byte, major, minor int64, access string) DeviceRule {
		return DeviceRule{Type: typ, Major: major, Minor: minor, Access: access}
	}
	list := []DeviceRule{DenyAllDevices, allow('c', 1, 3, "rwm"), allow('c', 136, -1, "rw"), allow('c', 195, 0, "r")}
	fence := []DeviceRule{deny('c', 195, -1, "rwm"), allow('c', 195, 1, "rwm"), deny('b', 8, 0, "w")}
	for _, c := range []struct {
		name                      string
		rules                     []DeviceRule
		access, typ, major, minor uint32
		want                      bool
	}{
		{"no rules allow all", nil, r | w, char, 1, 3, true},
		{"a list allows what is in it", list, r | w, char, 1, 3, true},
		{"a list denies the rest", list, r, char, 1, 5, false},
		{"a list tells types apart", list, r, block, 1, 3, false},
		{"any minor", list, r | w, char, 136, 77, true},
		{"but no making", list, m, char, 136, 77, false},
		{"reading is allowed where reading is", list, r, char, 195, 0, true},
		{"reading and writing is not", list, r | w, char, 195, 0, false},
		{"a fence denies its own", fence, r, char, 195, 0, false},
		{"a later rule opens it", fence, r | w, char, 195, 1, true},
		{"a fence leaves the rest", fence, r | w, char, 10, 1, true},
		{"writing is denied", fence, w, block, 8, 0, false},
		{"writing is denied also beside reading", fence, r | w, block, 8, 0, false},
		{"reading is not", fence, r, block, 8, 0, true},
		{"deny all alone", []DeviceRule{DenyAllDevices}, r, char, 1, 3, false},
		{"rules before deny all are void", []DeviceRule{allow('c', 1, 3, "rwm"), DenyAllDevices}, r, char, 1, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decide(t, deviceProgram(c.rules), c.access, c.typ, c.major, c.minor); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// The kernel takes the program and acts on it, wherever there is a version 2
// hierarchy to try it in.
func TestDeviceProgramInKernel(t *testing.T) {
	needRoot(t)
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	_, v2 := cgroupMounts(string(text))
	if v2 == "" {
		t.Skip("no cgroup2 file system is mounted")
	}
	dir := filepath.Join(v2, "rink-device-test")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("cannot make a group: %v", err)
	}
	defer removeTree(dir)
	rules := append([]DeviceRule{DenyAllDevices}, BasicDevices()...)
	rules = append(rules, DeviceRule{Type: 'c', Major: 1, Minor: 5, Access: "w"})
	if err := fenceV2(dir, rules); err != nil {
		if strings.Contains(err.Error(), "invalid argument") || strings.Contains(err.Error(), "not supported") {
			t.Skipf("this kernel has no device programs: %v", err)
		}
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", "echo 0 > "+dir+`/cgroup.procs
		t() { if "$@" 2>/dev/null; then echo yes; else echo no; fi; }
		t head -c1 /dev/null; t sh -c '> /dev/null'
		t sh -c ': > /dev/zero'; t sh -c ': < /dev/kmsg'`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := strings.Fields(string(out)); strings.Join(got, " ") != "yes yes no no" {
		t.Errorf("got %q", got)
	}
}
