package dev

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/runink/rink/ctld"
	"github.com/runink/rink/slurm"
)

// maxNodes bounds --nodes: every node is an agent with a launcher.
const maxNodes = 256

// settings are what the cluster is to be like.
type settings struct {
	Config                string
	Controllers           int
	Nodes, CPUs, MemoryMB int
	Features, Gres        string
}

// prepare makes the cluster's configuration in dir, unless there is one
// already, and returns its path.
func prepare(dir string, s settings) (string, error) {
	path := filepath.Join(dir, "rink.conf")
	_, err := os.Stat(path)
	if err == nil {
		return path, nil // the directory of an earlier run: its ports and nodes stay
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	// The path of a Unix socket fits in 107 bytes.
	if sock := filepath.Join(dir, "run", "noded.n000.sock"); len(sock) > 107 {
		return "", fmt.Errorf("the directory's name is too long for the sockets in it: %s", dir)
	}
	var text []byte
	if s.Config == "" {
		text, err = invent(dir, s)
	} else {
		text, err = adopt(dir, s)
	}
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, text, 0o644)
}

// own are the keys of the cluster's whereabouts, which are this process's to
// choose, and of the tokens of users, whose key is the real cluster's.
var own = []string{
	"SlurmctldHost", "ControlMachine", "ControlAddr", "SlurmctldAddr", "SlurmctldPort", "StateSaveLocation", "SlurmdSpoolDir", "SlurmctldPidFile",
	"SlurmdPidFile", "SlurmctldLogFile", "SlurmdLogFile", "CommandSocket", "SlurmctldParameters", "SlurmUser", "SlurmdUser", "AuthAltTypes", "AuthAltParameters",
}

// place writes the keys in own.
func place(b *bytes.Buffer, dir, host string, controllers, port int) {
	state := "ctld"
	if controllers <= 1 {
		fmt.Fprintf(b, "SlurmctldHost=%s(127.0.0.1)\n", host)
	} else {
		state = "ctld.%n"
		for i := range controllers { // all of 127/8 is this machine
			fmt.Fprintf(b, "SlurmctldHost=c%d(127.0.0.%d)\n", i+1, i+1)
		}
	}
	fmt.Fprintf(b, "SlurmctldPort=%d\n", port)
	fmt.Fprintf(b, "StateSaveLocation=%s\nSlurmdSpoolDir=%s\n", filepath.Join(dir, state), filepath.Join(dir, "node.%n"))
	fmt.Fprintf(b, "CommandSocket=%s\n", filepath.Join(dir, "run", "%d.sock"))
}

// invent describes a cluster of made-up nodes.
func invent(dir string, s settings) ([]byte, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(s.Nodes+1, s.Controllers)
	if err != nil {
		return nil, err
	}
	cpus, memory := s.CPUs, s.MemoryMB
	if cpus <= 0 {
		if cpus = 16; s.Nodes == 1 {
			cpus = runtime.NumCPU()
		}
	}
	if memory <= 0 {
		if memory = 64000; s.Nodes == 1 {
			var info syscall.Sysinfo_t
			if err := syscall.Sysinfo(&info); err != nil {
				return nil, fmt.Errorf("cannot ask the size of this machine's memory: %w", err)
			}
			memory = int(uint64(info.Totalram) * uint64(info.Unit) >> 20)
		}
	}
	var b bytes.Buffer
	b.WriteString("# A cluster on one machine, made by rink dev.\nClusterName=dev\n")
	place(&b, dir, host, s.Controllers, ports[0])
	b.WriteString("SlurmdParameters=config_overrides\nReturnToService=2\nSelectType=select/cons_tres\nSelectTypeParameters=CR_CPU_Memory\n")
	b.WriteString("DefMemPerCPU=100\nMaxArraySize=200001\nMaxJobCount=500000\nKillWait=5\nScronParameters=enable\n")
	b.WriteString("AccountingStoreFlags=job_comment,job_env,job_extra,job_script\n")
	b.WriteString("SliceNamespaces=pid,mount,ipc\n")
	if s.Gres != "" {
		gres, err := slurm.ParseGres(s.Gres)
		if err != nil {
			return nil, fmt.Errorf("--gres: %w", err)
		}
		var names []string
		for _, g := range gres {
			names = append(names, g.Name)
		}
		fmt.Fprintf(&b, "GresTypes=%s\n", strings.Join(names, ","))
	}
	for i := range s.Nodes {
		fmt.Fprintf(&b, "NodeName=n%d NodeHostname=%s NodeAddr=127.0.0.1 Port=%d CPUs=%d RealMemory=%d", i+1, host, ports[i+1], cpus, memory)
		if s.Features != "" {
			fmt.Fprintf(&b, " Feature=%s", s.Features)
		}
		if s.Gres != "" {
			fmt.Fprintf(&b, " Gres=%s", s.Gres)
		}
		b.WriteString(" State=UNKNOWN\n")
	}
	b.WriteString("PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n")
	return b.Bytes(), nil
}

// adopt rewrites an existing configuration so that all of it runs here: where
// things are is changed, what they are is not.
func adopt(dir string, s settings) ([]byte, error) {
	config := s.Config
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	conf, err := ctld.ReadConf(config)
	if err != nil {
		return nil, err
	}
	if len(conf.Nodes) > maxNodes {
		return nil, fmt.Errorf("%s has %d nodes; this machine plays at most %d", config, len(conf.Nodes), maxNodes)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(len(conf.Nodes)+1, s.Controllers)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	place(&b, dir, host, s.Controllers, ports[0])
	next := 1
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		bare, _, _ := strings.Cut(line, "#")
		words := strings.Fields(bare)
		if len(words) == 0 {
			continue
		}
		key, value, _ := strings.Cut(words[0], "=")
		switch {
		case contains(own, key):
			continue
		case strings.EqualFold(key, "include"):
			return nil, fmt.Errorf("%s: Include is not followed by rink dev; give it the whole in one file", config)
		case strings.EqualFold(key, "NodeName") && !strings.EqualFold(value, "DEFAULT"):
			list, err := slurm.ParseHostList(value)
			if err != nil {
				return nil, err
			}
			keep := words[:1]
			for _, w := range words[1:] {
				if k, _, _ := strings.Cut(w, "="); !contains([]string{"NodeHostname", "NodeAddr", "Port", "BcastAddr"}, k) {
					keep = append(keep, w)
				}
			}
			// One line a node, since free ports need not follow each other.
			for _, name := range list.Hosts() {
				fmt.Fprintf(&b, "NodeName=%s %s NodeHostname=%s NodeAddr=127.0.0.1 Port=%d\n", name, strings.Join(keep[1:], " "), host, ports[next])
				next++
			}
		default:
			b.WriteString(strings.TrimRight(bare, " \t\n"))
			b.WriteByte('\n')
		}
	}
	for _, side := range []string{"gres.conf", "cgroup.conf", "topology.conf"} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(config), side))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, side), data, 0o644)
		}
		if err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// freePorts finds ports nobody listens on: the first on the addresses of all
// controllers, the others on the first.
func freePorts(n, controllers int) ([]int, error) {
	ports := make([]int, 0, n)
	for tries := 0; len(ports) < n; tries++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("cannot find a free port: %w", err)
		}
		defer l.Close() // held until all are found, so that none is found twice
		port := l.Addr().(*net.TCPAddr).Port
		for i := 1; len(ports) == 0 && i < controllers; i++ {
			other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%d", i+1, port))
			if err != nil && tries > 20 {
				return nil, fmt.Errorf("cannot find a port that is free for all controllers: %w", err)
			}
			if err != nil {
				port = 0
				break
			}
			defer other.Close()
		}
		if port > 0 {
			ports = append(ports, port)
		}
	}
	return ports, nil
}
