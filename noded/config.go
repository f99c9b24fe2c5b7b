package noded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// Config is an agent's own part of the configuration.
type Config struct {
	Conf        *slurm.Conf
	Files       []slurm.ConfFile // what Conf was read from, and the files beside it
	Node        string           // NodeName
	Listen      string           // address and port of the TLS listener
	Spool       string           // SlurmdSpoolDir with its patterns filled in
	Socket      string           // Unix socket for the commands of this host
	Controllers []controllerAt
	Local       []string // patterns of the Unix sockets of controllers on this host, tried for a certificate
	Path        string   // of the configuration file; "" when there is none
	Rebooted    bool     // say that the machine came up with this agent; for tests
	Token       string   // one-time token to join with; "" when there is none
}

// ReadConfig works out an agent's configuration from the cluster's. node is
// the NodeName; when it is empty, the node whose NodeHostname is this host is
// taken.
func ReadConfig(conf *slurm.Conf, node, hostname, token string) (Config, error) {
	short, _, _ := strings.Cut(hostname, ".")
	var me *slurm.NodeConf
	for i := range conf.Nodes {
		n := &conf.Nodes[i]
		if node != "" && n.Name == node || node == "" && (n.Hostname == hostname || n.Hostname == short) {
			me = n
			break
		}
	}
	if me == nil {
		if node != "" {
			return Config{}, fmt.Errorf("node %s is not in the configuration", node)
		}
		return Config{}, fmt.Errorf("no NodeName of the configuration is this host (%s); -N names one", hostname)
	}
	c := Config{Conf: conf, Node: me.Name, Token: token}
	fill := strings.NewReplacer("%n", me.Name, "%h", short)
	c.Spool = fill.Replace(conf.SlurmdSpoolDir)
	if c.Spool == "" {
		return c, errors.New("SlurmdSpoolDir is not set")
	}
	port := me.Port
	if port == 0 {
		port = conf.SlurmdPort
	}
	c.Listen = net.JoinHostPort("", strconv.Itoa(port))
	if net.ParseIP(me.Addr) != nil {
		c.Listen = net.JoinHostPort(me.Addr, strconv.Itoa(port))
	}
	pattern := conf.CommandSocket
	if pattern == "" {
		pattern = slurm.DefaultCommandSocket
	}
	socket := func(daemon string) string {
		return strings.NewReplacer("%c", conf.ClusterName, "%d", daemon).Replace(pattern)
	}
	c.Socket, c.Local = socket("noded."+me.Name), []string{socket("ctld"), socket("ctld.*")}
	c.Controllers = controllersOf(conf)
	if len(c.Controllers) == 0 {
		return c, errors.New("SlurmctldHost is not set")
	}
	if c.Token == "" && conf.JoinTokenFile != "" {
		text, err := os.ReadFile(conf.JoinTokenFile)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return c, fmt.Errorf("cannot read JoinTokenFile: %w", err)
		}
		c.Token = strings.TrimSpace(string(text))
	}
	for _, dir := range []string{filepath.Dir(c.Socket), c.Spool} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return c, fmt.Errorf("cannot make %s: %w", dir, err)
		}
	}
	return c, nil
}

// controllersOf are the controllers of a configuration.
func controllersOf(conf *slurm.Conf) []controllerAt {
	var list []controllerAt
	for _, h := range conf.SlurmctldHost {
		addr := h.Addr
		if addr == "" {
			addr = h.Name
		}
		list = append(list, controllerAt{h.Name, net.JoinHostPort(addr, strconv.Itoa(conf.SlurmctldPort))})
	}
	return list
}

// maxConfig bounds a configuration file.
const maxConfig = 64 << 20

// ReadConf reads and parses a cluster's configuration files, and returns them too.
func ReadConf(path string) (*slurm.Conf, []slurm.ConfFile, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	list, err := slurm.ReadConfFiles(path, func(path string) ([]byte, error) {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.Size() > maxConfig {
			return nil, fmt.Errorf("%s is larger than %d bytes", path, maxConfig)
		}
		return os.ReadFile(path)
	})
	if err != nil {
		return nil, nil, err
	}
	conf, err := parseFiles(list)
	return conf, list, err
}

// parseFiles parses configuration files, the first being slurm.conf.
func parseFiles(list []slurm.ConfFile) (*slurm.Conf, error) {
	conf, _, err := slurm.ParseConf(list[0].Name, func(name string) ([]byte, error) {
		for _, f := range list {
			if f.Name == name {
				return f.Text, nil
			}
		}
		return nil, os.ErrNotExist
	})
	return conf, err
}
