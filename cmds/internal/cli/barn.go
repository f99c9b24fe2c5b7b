package cli

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// ConnectBarn returns a client of what a controller of this host keeps: the named
// one's, or the first's that answers when name is "". Agents have nothing of it.
func ConnectBarn(env *Env, name string) (client rinkpb.BarnClient, done func() error, err error) {
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
		if err := answers(sock); err != nil {
			tried = append(tried, err.Error())
			continue
		}
		conn, err := grpc.NewClient("unix:"+sock, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)), grpc.WithNoProxy(), grpc.WithDisableServiceConfig())
		if err != nil {
			return nil, nil, err
		}
		return rinkpb.NewBarnClient(conn), conn.Close, nil
	}
	if len(tried) == 0 {
		return nil, nil, errors.New("no controller runs on this host, and this is asked where one does")
	}
	return nil, nil, fmt.Errorf("%w (%s)", ErrUnreachable, strings.Join(tried, "; "))
}
