package ctld

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/slurm"
)

// Config is a controller's own part of the configuration, worked out from the
// cluster's files.
type Config struct {
	Conf     *slurm.Conf
	Files    []state.ConfigFile // slurm.conf first, then gres.conf and the rest that are there
	Path     string             // of slurm.conf
	Name     string             // this controller's name: its SlurmctldHost entry
	Rank     int                // its place in SlurmctldHost; the first founds the cluster
	Listen   string             // address and port of the TLS listener
	Address  string             // address and port others reach it at
	StateDir string
	Socket   string   // Unix socket for the commands of this host
	Others   []string // patterns of the sockets of other controllers on this host
	Token    string   // one-time token to join with; "" when there is none
	// Gone are the keys in the files that only older releases of Slurm had.
	Gone []slurm.KeyReport
}

// maxConfig bounds a configuration file.
const maxConfig = 64 << 20

// ReadConfig reads a cluster's configuration for the controller on the named
// host. Errors name the file and the line.
func ReadConfig(path, hostname string) (Config, error) { return ReadConfigOf(path, hostname, "") }

// ReadConfigOf does so for the controller that SlurmctldHost calls name, on
// whatever host it is run: one of several on a host, say.
func ReadConfigOf(path, hostname, name string) (Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Config{}, err
	}
	files, err := readFiles(path)
	if err != nil {
		return Config{}, err
	}
	conf, reports, err := parseFiles(files)
	if err != nil {
		return Config{}, err
	}
	c := Config{Conf: conf, Files: files, Path: path}
	for _, r := range append(reports, sideReports(files)...) {
		if r.Gone() {
			c.Gone = append(c.Gone, r)
		}
	}
	if conf.StateSaveLocation == "" {
		return c, fmt.Errorf("%s: StateSaveLocation is not set", path)
	}
	if err := c.findSelf(hostname, name); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	c.StateDir = c.Fill(conf.StateSaveLocation)
	c.Socket = SocketPath(conf, "ctld")
	if len(conf.SlurmctldHost) > 1 { // there may be others on this host
		c.Socket = SocketPath(conf, "ctld."+c.Name)
		c.Others = []string{SocketPath(conf, "ctld"), SocketPath(conf, "ctld.*")}
	}
	if conf.JoinTokenFile != "" {
		text, err := os.ReadFile(conf.JoinTokenFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, fmt.Errorf("cannot read JoinTokenFile: %w", err)
		}
		c.Token = strings.TrimSpace(string(text))
	}
	return c, nil
}

// Fill puts this controller's name for %n in the name of a file or directory, so
// that several on one host, with one configuration, have each their own.
func (c *Config) Fill(path string) string { return strings.ReplaceAll(path, "%n", c.Name) }

// SocketPath is where a daemon of the cluster listens for the commands of its
// host: CommandSocket with %c the cluster's name and %d the daemon's.
func SocketPath(conf *slurm.Conf, daemon string) string {
	pattern := conf.CommandSocket
	if pattern == "" {
		pattern = slurm.DefaultCommandSocket
	}
	return strings.NewReplacer("%c", conf.ClusterName, "%d", daemon).Replace(pattern)
}

// findSelf works out which of the SlurmctldHost entries this controller is: the
// one of that name or, when it is "", of this host.
func (c *Config) findSelf(hostname, name string) error {
	hosts := c.Conf.SlurmctldHost
	if len(hosts) == 0 {
		return errors.New("SlurmctldHost is not set")
	}
	short, _, _ := strings.Cut(hostname, ".")
	for i, h := range hosts {
		first, _, _ := strings.Cut(h.Name, ".")
		if name != "" && h.Name != name || name == "" && first != short && h.Name != hostname && h.Name != "localhost" {
			continue
		}
		addr := h.Addr
		if addr == "" {
			addr = h.Name
		}
		c.Name, c.Rank, c.Address = h.Name, i, controllerAddress(c.Conf, h)
		// Without an address of its own a host listens on all of them, as a name
		// may stand for several.
		c.Listen = net.JoinHostPort("", strconv.Itoa(c.Conf.SlurmctldPort))
		if net.ParseIP(addr) != nil {
			c.Listen = c.Address
		}
		return nil
	}
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	if name != "" {
		return fmt.Errorf("%s is not a controller: SlurmctldHost names %s", name, strings.Join(names, ", "))
	}
	return fmt.Errorf("this host (%s) is not a controller: SlurmctldHost names %s", hostname, strings.Join(names, ", "))
}

// controllerAddress is the address and port a controller is reached at.
func controllerAddress(conf *slurm.Conf, h slurm.ControlHost) string {
	addr := h.Addr
	if addr == "" {
		addr = h.Name
	}
	return net.JoinHostPort(addr, strconv.Itoa(conf.SlurmctldPort))
}

// ParseFiles parses a set of configuration files, the first being slurm.conf.
func ParseFiles(files []state.ConfigFile) (*slurm.Conf, error) {
	if len(files) == 0 {
		return nil, errors.New("there is no configuration")
	}
	conf, _, err := parseFiles(files)
	return conf, err
}

func parseFiles(files []state.ConfigFile) (*slurm.Conf, []slurm.KeyReport, error) {
	return slurm.ParseConf(files[0].Name, func(name string) ([]byte, error) {
		for _, f := range files {
			if f.Name == name {
				return f.Text, nil
			}
		}
		return nil, fmt.Errorf("cannot read %s: %w", name, fs.ErrNotExist)
	})
}

// readFiles reads slurm.conf, what it includes and the files beside it.
func readFiles(path string) ([]state.ConfigFile, error) {
	list, err := slurm.ReadConfFiles(path, readBounded)
	if err != nil {
		return nil, err
	}
	files := make([]state.ConfigFile, len(list))
	for i, f := range list {
		files[i] = state.ConfigFile{Name: f.Name, Text: f.Text}
	}
	return files, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxConfig)
	}
	return os.ReadFile(path)
}

func sameFiles(a, b []state.ConfigFile) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !bytes.Equal(a[i].Text, b[i].Text) {
			return false
		}
	}
	return true
}

// ReadConf reads and parses a cluster's configuration files.
func ReadConf(path string) (*slurm.Conf, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	files, err := readFiles(path)
	if err != nil {
		return nil, err
	}
	return ParseFiles(files)
}

// CheckConfig says of every key of a cluster's configuration files what
// becomes of it. The error is one that keeps the files from being read at all.
func CheckConfig(path string) ([]slurm.KeyReport, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	files, err := readFiles(path)
	if err != nil {
		return nil, err
	}
	_, reports, err := parseFiles(files)
	return append(reports, sideReports(files)...), err
}

// sideReports is what becomes of the keys in the files beside slurm.conf. A mistake
// in one is reported with the key it is about.
func sideReports(files []state.ConfigFile) []slurm.KeyReport {
	read := func(name string) ([]byte, error) {
		for _, f := range files {
			if f.Name == name {
				return f.Text, nil
			}
		}
		return nil, fmt.Errorf("cannot read %s: %w", name, fs.ErrNotExist)
	}
	var out []slurm.KeyReport
	for _, f := range files[1:] {
		var reports []slurm.KeyReport
		var err error
		switch f.Name {
		case "gres.conf":
			_, reports, err = slurm.ParseGresConf(f.Name, read)
		case "topology.conf":
			_, reports, err = slurm.ParseTopologyConf(f.Name, read)
		case "cgroup.conf":
			_, reports, err = slurm.ParseCgroupConf(f.Name, read)
		}
		out = append(out, reports...)
		var bad *slurm.ConfError
		if errors.As(err, &bad) && !slices.ContainsFunc(reports, func(r slurm.KeyReport) bool { return r.Line == bad.Line && r.Verdict == slurm.Refused }) {
			out = append(out, slurm.KeyReport{File: bad.File, Line: bad.Line, Key: "line", Verdict: slurm.Refused, Why: bad.Why})
		}
	}
	return out
}
