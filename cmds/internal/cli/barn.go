package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// ConnectBarn returns a client of what a controller of this host keeps: the named
// one's, or the first's that answers when name is "". Agents have nothing of it.
func ConnectBarn(env *Env, name string) (client rinkpb.Barn, done func() error, err error) {
	path, err := ConfigPath(env)
	if err != nil {
		return nil, nil, err
	}
	cluster, pattern, err := Locate(path)
	if err != nil {
		return nil, nil, err
	}
	if pattern == "" {
		pattern = slurm.DefaultCommandSocket
	}
	var tried []string
	daemons := []string{"ctld", "ctld.*"}
	if name != "" {
		daemons = []string{"ctld." + name}
	}
	for _, sock := range sockets(pattern, cluster, daemons...) {
		conn, err := reach(sock)
		if err != nil {
			tried = append(tried, err.Error())
			continue
		}
		l := &line{socks: []string{sock}, free: conn, token: env.token()}
		return rinkpb.CallBarn(l), l.Close, nil
	}
	if len(tried) == 0 {
		return nil, nil, errors.New("no controller runs on this host, and this is asked where one does")
	}
	return nil, nil, fmt.Errorf("%w (%s)", ErrUnreachable, strings.Join(tried, "; "))
}
