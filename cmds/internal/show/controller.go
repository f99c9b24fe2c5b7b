package show

import "github.com/runink/rink/api/rinkpb"

// lonely is after how many milliseconds without a word from the leader a controller
// is not relied on.
const lonely = 2000

// ControllerRole is what a controller is to the others: leader, follower,
// catching-up, or outside of the cluster.
func ControllerRole(c *rinkpb.ControllerState) string {
	switch {
	case c.Leader:
		return "leader"
	case c.Voter:
		return "follower"
	case c.Member:
		return "catching-up"
	}
	return "outside"
}

// ControllerStanding is whether a controller can be relied on: UP, or DOWN,
// DISK_FULL, LONELY.
func ControllerStanding(c *rinkpb.ControllerState) string {
	switch {
	case !c.Up:
		return "DOWN"
	case c.Health.GetFull():
		return "DISK_FULL"
	case !c.Leader && c.Member && (c.Health.GetContact() < 0 || c.Health.GetContact() > lonely):
		return "LONELY"
	}
	return "UP"
}
