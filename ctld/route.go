package ctld

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
)

// Any controller takes any call. What it may answer from its own copy of the
// state it answers; the rest it passes on to the leader, in the caller's name,
// and waits while there is none. A call says in its metadata what it must see:
// rink-index is the log entry that has to be applied first, and rink-read how
// fresh the answer is to be. The answer's trailer says in rink-index how far the
// state was, for the caller's next call.
const (
	keyIndex    = "rink-index"
	keyRead     = "rink-read"      // "linear" or "stale"; otherwise at most staleness behind
	keyHop      = "rink-hop"       // a controller passed it on: it is not passed on again
	keyNotTaken = "rink-not-taken" // in the trailer: nothing was done, asking again is safe
)

// staleness bounds how far behind the leader a follower may be that answers by
// itself.
const staleness = 2 * time.Second

// leaderPatience is how long a call that the leader alone can answer waits for
// one, where the caller sets no bound of its own.
const leaderPatience = time.Minute

// passLimit is how long the leader may take over a quick call that was passed on.
const passLimit = 3 * time.Second

// slow are calls that may take as long as they like.
var slow = map[string]bool{
	rinkpb.Controller_CreateStep_FullMethodName: true, rinkpb.Controller_ImportHistory_FullMethodName: true, rinkpb.Controller_Usage_FullMethodName: true,
	rinkpb.Controller_StepStats_FullMethodName: true, rinkpb.Controller_Reconfigure_FullMethodName: true, rinkpb.Controller_Explain_FullMethodName: true,
	rinkpb.Controller_ChangeControllers_FullMethodName: true,
}

// route says who answers a call.
type route uint8

const (
	byLeader    route = iota // the leader alone: it changes something, or asks what the leader alone knows
	byAny                    // any controller, from its own copy
	ratherByOne              // the leader, who knows more; any controller while there is none
)

// routes are the calls not answered by the leader alone.
var routes = map[string]route{
	rinkpb.Controller_Ping_FullMethodName: byAny, rinkpb.Controller_WaitJob_FullMethodName: byAny, rinkpb.Controller_ListJobs_FullMethodName: byAny,
	rinkpb.Controller_ListPartitions_FullMethodName: byAny, rinkpb.Controller_GetConfig_FullMethodName: byAny,
	rinkpb.Controller_GetScript_FullMethodName: byAny, rinkpb.Controller_ListLicenses_FullMethodName: byAny,
	rinkpb.Controller_ListRuns_FullMethodName: byAny, rinkpb.Controller_ListReservations_FullMethodName: byAny,
	rinkpb.Controller_History_FullMethodName: byAny, rinkpb.Controller_Usage_FullMethodName: byAny, rinkpb.Controller_ListAccounts_FullMethodName: byAny,
	rinkpb.Controller_Priorities_FullMethodName: byAny, rinkpb.Controller_Shares_FullMethodName: byAny,
	rinkpb.Controller_Standings_FullMethodName: byAny, rinkpb.Controller_Certify_FullMethodName: byAny,
	rinkpb.Controller_StepIO_FullMethodName: byAny, rinkpb.Controller_Bcast_FullMethodName: byAny,
	rinkpb.Controller_ListControllers_FullMethodName: byAny,
	rinkpb.Controller_ListNodes_FullMethodName:       ratherByOne,
	rinkpb.Controller_Metrics_FullMethodName:         ratherByOne,
}

// always are calls answered here whatever the state.
var always = map[string]bool{
	rinkpb.Controller_UserToken_FullMethodName: true,
	rinkpb.Controller_Ping_FullMethodName:      true, rinkpb.Controller_ListControllers_FullMethodName: true, rinkpb.Controller_Certify_FullMethodName: true,
}

// routeOf is who answers a call. The leader alone knows when jobs are expected to
// start.
func routeOf(method string, req any) route {
	if r, ok := req.(*rinkpb.ListJobsRequest); ok && r.Plan {
		return ratherByOne
	}
	return routes[method]
}

// once are calls that are not made again when it is not known what became of the
// first try, since they would do twice what was asked for once. All others leave
// things as they were asked for, or carry a key.
func once(method string, req any) bool {
	switch method {
	case rinkpb.Controller_ChangeAccounts_FullMethodName, rinkpb.Controller_CreateToken_FullMethodName:
		return true
	case rinkpb.Controller_ModifyReservation_FullMethodName:
		return req.(*rinkpb.ModifyReservationRequest).Create
	case rinkpb.Controller_Act_FullMethodName:
		a := req.(*rinkpb.ActRequest).Action
		return a == rinkpb.ActRequest_REQUEUE || a == rinkpb.ActRequest_REQUEUEHOLD
	}
	return false
}

// notTaken is the error of a call of which nothing was done.
type notTaken struct{ text string }

func (e *notTaken) Error() string { return e.text }

// GRPCStatus is what the caller is told.
func (e *notTaken) GRPCStatus() *status.Status { return status.New(codes.Unavailable, e.text) }

const notTheLeader = "not the leader"

func notLeading(s *Server) error {
	l, _ := s.leaders.leader()
	if l.name == "" {
		return &notTaken{notTheLeader + ", and there is none at present"}
	}
	return &notTaken{notTheLeader + "; " + l.name + " is"}
}

// wants is what a call's metadata asks for.
type wants struct {
	index  uint64
	read   string
	hopped bool
}

func wantsOf(ctx context.Context) wants {
	md, _ := metadata.FromIncomingContext(ctx)
	var w wants
	for _, v := range md.Get(keyIndex) {
		n, err := strconv.ParseUint(v, 10, 64)
		if err == nil {
			w.index = max(w.index, n)
		}
	}
	if v := md.Get(keyRead); len(v) > 0 {
		w.read = v[len(v)-1]
	}
	who, ok := auth.PeerFrom(ctx)
	w.hopped = len(md.Get(keyHop)) > 0 && ok && who.Role == auth.RoleController
	return w
}

const controllerService = "/runink.v1.Controller/"

// routeUnary answers a call here or has the leader do so.
func (s *Server) routeUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if !strings.HasPrefix(info.FullMethod, controllerService) {
		return s.marked(ctx, nil, handler, req)
	}
	w := wantsOf(ctx)
	wait, cancel := patience(ctx)
	defer cancel()
	var last error
	for try := 0; ; try++ {
		here, err := s.answersHere(wait, info.FullMethod, req, w)
		switch {
		case err != nil && last != nil:
			return nil, last
		case err != nil:
			return s.marked(ctx, err, nil, nil)
		case here:
			reply, err := s.marked(ctx, nil, handler, req)
			if !s.again(err, once(info.FullMethod, req)) || w.hopped || s.barn.IsLeader() && !isNotTaken(err) {
				return reply, err
			}
			last = err
		default:
			reply, index, err := s.passOn(ctx, wait, info.FullMethod, req.(proto.Message))
			if !s.again(err, once(info.FullMethod, req)) {
				if index > 0 {
					s.sights.saw(&sight{index, time.Now()}) // who asks here next is to see what came of it
					s.reachSoon(ctx, index)
					grpc.SetTrailer(ctx, metadata.Pairs(keyIndex, strconv.FormatUint(index, 10)))
				}
				return reply, err
			}
			last = err
		}
		// Who leads next is waited for by answersHere; this is for one that leads
		// and does not take it.
		select {
		case <-wait.Done():
			return nil, last
		case <-time.After(min(time.Duration(try+1)*5*time.Millisecond, 100*time.Millisecond)):
		}
	}
}

// patience bounds the wait for a leader.
func patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, leaderPatience)
}

// marked calls the handler, and puts into the trailer how far the state is and,
// of an error, that nothing was done.
func (s *Server) marked(ctx context.Context, err error, handler grpc.UnaryHandler, req any) (any, error) {
	var reply any
	if handler != nil {
		reply, err = handler(ctx, req)
	}
	index, _ := s.barn.Index()
	md := metadata.Pairs(keyIndex, strconv.FormatUint(index, 10))
	if isNotTaken(err) {
		md.Set(keyNotTaken, "1")
	}
	grpc.SetTrailer(ctx, md)
	return reply, err
}

func isNotTaken(err error) bool {
	_, ok := err.(*notTaken)
	return ok
}

// again reports whether a call that ended so is to be tried again: nothing was
// done, or doing it twice does no harm.
func (s *Server) again(err error, once bool) bool {
	if isNotTaken(err) {
		return true
	}
	return err != nil && status.Code(err) == codes.Unavailable && !once
}

// answersHere decides who answers, and waits until that can be: for a leader, or
// until the state here is as far as the caller has seen it. Only a wait that was
// in vain is an error.
func (s *Server) answersHere(ctx context.Context, method string, req any, w wants) (bool, error) {
	if always[method] {
		return true, nil
	}
	r := routeOf(method, req)
	if s.barn.IsLeader() && (r != byLeader && w.read != "linear" || s.surelyLeads(ctx)) {
		return true, nil
	}
	if w.hopped {
		return false, notLeading(s)
	}
	if r == byAny && w.read != "linear" && (w.read == "stale" || s.fresh(ctx) && s.tells(method)) && s.reach(ctx, w.index) {
		return true, nil
	}
	wait := ctx
	if r != byLeader && w.read != "linear" {
		// Rather than nothing, what is known here; but not for want of a moment.
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, staleness+500*time.Millisecond)
		defer cancel()
	}
	for {
		l, changed := s.leaders.leader()
		if l.name != "" && l.name != s.opt.Config.Name {
			return false, nil
		}
		tick := time.NewTimer(10 * time.Millisecond) // having been elected, it takes a moment to lead
		select {
		case <-changed:
		case <-tick.C:
		case <-s.halting:
			tick.Stop()
			return false, &notTaken{"this controller is stopping"}
		case <-wait.Done():
			tick.Stop()
			if r == ratherByOne && w.read != "linear" && ctx.Err() == nil && s.contact() < staleness*5 {
				return true, nil
			}
			return false, notLeading(s)
		}
		tick.Stop()
		if s.barn.IsLeader() && s.surelyLeads(ctx) {
			return true, nil
		}
	}
}

// surelyLeads reports whether this controller led at some time after the call. All
// that was ever answered is then in its state, so that what it refuses, or reads,
// is true. One that was stopped and followed by another does not know that at
// once, hence a quorum is asked; its word holds for less than the time after which
// others elect another leader.
func (s *Server) surelyLeads(ctx context.Context) bool {
	term, now := s.barn.Term(), time.Now()
	if l := s.lease.Load(); l != nil && l.term == term && now.Before(l.until) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, lostLeader)
	defer cancel()
	if s.barn.VerifyLeader(ctx) != nil || s.barn.Term() != term {
		return false
	}
	s.lease.Store(&lease{term, now.Add(lostQuorum / 2)})
	return true
}

// lease is until when a quorum's word that this controller leads holds.
type lease struct {
	term  uint64
	until time.Time
}

// contact is how long ago the leader was heard.
func (s *Server) contact() time.Duration {
	if c := s.barn.Standing().Contact; c >= 0 {
		return c
	}
	return time.Since(s.start)
}

// fresh reports whether this follower's state is at most staleness behind the
// leader's. That the leader was heard does not say so: it is also heard by one that
// has a million entries to catch up with, or a full disk that takes none.
func (s *Server) fresh(ctx context.Context) bool {
	if c := s.barn.Standing().Contact; c < 0 || c > staleness {
		return false
	}
	at := s.sights.within(ctx, s.leaderAt)
	return at != nil && s.reachSoon(ctx, at.index)
}

// catchUp is how long a follower that is behind waits for what it lacks before it
// leaves a call to the leader.
const catchUp = 100 * time.Millisecond

func (s *Server) reachSoon(ctx context.Context, index uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	return s.reach(ctx, index)
}

// leaderAt asks the leader how far it is.
func (s *Server) leaderAt(ctx context.Context) (uint64, bool) {
	name, addr := s.barn.Leader()
	if name == "" {
		return 0, false
	}
	h, err := s.healthOf(ctx, name, addr)
	if err != nil || h.Leader != name {
		return 0, false
	}
	return h.Applied, true
}

// tells reports whether this controller has what a call asks for: one whose history lacks
// a part yet, or cannot be written, leaves it to the leader to tell of it.
func (s *Server) tells(method string) bool {
	if method != rinkpb.Controller_History_FullMethodName && method != rinkpb.Controller_Usage_FullMethodName {
		return true
	}
	gap, err := s.store.Gap()
	return err == nil && gap == nil
}

// reach waits a moment until a log entry is applied here.
func (s *Server) reach(ctx context.Context, index uint64) bool {
	if now, _ := s.barn.Index(); now >= index {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, staleness)
	defer cancel()
	return s.barn.WaitApplied(ctx, index) == nil
}

// messageTypes returns the types of a method's request and reply.
func messageTypes(method string) (in, out protoreflect.MessageType, err error) {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, nil, status.Errorf(codes.Unimplemented, "%s is not known", method)
	}
	sd, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, nil, status.Errorf(codes.Unimplemented, "%s is not known", method)
	}
	m := sd.Methods().ByName(protoreflect.Name(name))
	if m == nil {
		return nil, nil, status.Errorf(codes.Unimplemented, "%s is not known", method)
	}
	if in, err = protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName()); err != nil {
		return nil, nil, status.Error(codes.Internal, err.Error())
	}
	if out, err = protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName()); err != nil {
		return nil, nil, status.Error(codes.Internal, err.Error())
	}
	return in, out, nil
}

// lineToLeader returns the connection to the leader, and a context for a call to it
// that ends a moment after another one is known to lead: one that hangs does not
// answer.
func (s *Server) lineToLeader(ctx context.Context) (*grpc.ClientConn, context.Context, <-chan struct{}, context.CancelFunc, error) {
	l, changed := s.leaders.leader()
	if l.name == "" || l.name == s.opt.Config.Name {
		return nil, nil, nil, nil, notLeading(s)
	}
	conn, err := s.peers.dial(l.name, l.addr)
	if err != nil {
		return nil, nil, nil, nil, &notTaken{err.Error()}
	}
	who, err := auth.Caller(ctx)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	md, _ := metadata.FromIncomingContext(ctx)
	out := metadata.Pairs(keyHop, s.opt.Config.Name)
	for _, key := range []string{keyIndex, keyRead} {
		out.Append(key, md.Get(key)...)
	}
	try, cancel := context.WithCancel(auth.Outgoing(metadata.NewOutgoingContext(ctx, out), who))
	go func() { // ends with try
		select {
		case <-try.Done():
			return
		case <-changed:
		}
		select {
		case <-try.Done():
		case <-time.After(300 * time.Millisecond):
			cancel()
		}
	}()
	return conn, try, changed, cancel, nil
}

// passOn has the leader answer a call. It returns the log entry that whoever made
// the call has seen by that. A line to the leader is waited for as long as wait; the
// answer may take as long as the call.
func (s *Server) passOn(ctx, wait context.Context, method string, req proto.Message) (any, uint64, error) {
	_, out, err := messageTypes(method)
	if err != nil {
		return nil, 0, err
	}
	l, _ := s.leaders.leader()
	conn, try, changed, cancel, err := s.lineToLeader(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer cancel()
	// What is sent on a line that is up, and not answered, is all whose fate is not
	// known.
	if err := lineReady(wait, conn, changed); err != nil {
		return nil, 0, err
	}
	reply := out.New().Interface()
	var trailer metadata.MD
	hung := func() bool { return false }
	if !slow[method] {
		late := time.AfterFunc(passLimit, cancel)
		hung = func() bool { return !late.Stop() }
	}
	err = conn.Invoke(try, method, req, reply, grpc.Trailer(&trailer))
	var index uint64
	for _, v := range trailer.Get(keyIndex) {
		index, _ = strconv.ParseUint(v, 10, 64)
	}
	switch {
	case err == nil:
		return reply, index, nil
	case len(trailer.Get(keyNotTaken)) > 0:
		return nil, 0, &notTaken{status.Convert(err).Message()}
	case status.Code(err) == codes.Canceled && ctx.Err() == nil:
		if hung() {
			s.peers.drop(l.name, conn)
		}
		return nil, 0, status.Error(codes.Unavailable, "the leader was lost while it carried out the request")
	}
	return nil, index, err
}

// routeStream does the same for calls that stream their answer.
func (s *Server) routeStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !strings.HasPrefix(info.FullMethod, controllerService) {
		return handler(srv, ss)
	}
	w := wantsOf(ss.Context())
	wait, cancel := patience(ss.Context())
	defer cancel()
	if info.IsClientStream { // of the streams of a step, and of files: they go to the agents from here
		if !s.reach(wait, w.index) {
			return &notTaken{"this controller is behind the leader"}
		}
		return handler(srv, ss)
	}
	in, out, err := messageTypes(info.FullMethod)
	if err != nil {
		return err
	}
	req := in.New().Interface()
	if err := ss.RecvMsg(req); err != nil {
		return err
	}
	for {
		here, err := s.answersHere(wait, info.FullMethod, req, w)
		if err != nil {
			if isNotTaken(err) {
				ss.SetTrailer(metadata.Pairs(keyNotTaken, "1"))
			}
			return err
		}
		if here {
			index, _ := s.barn.Index()
			ss.SetTrailer(metadata.Pairs(keyIndex, strconv.FormatUint(index, 10)))
			return handler(srv, &askedStream{ServerStream: ss, req: req})
		}
		begun, err := s.passStream(wait, ss, info.FullMethod, req, out)
		if begun || !s.again(err, false) {
			return err
		}
		select {
		case <-wait.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// passStream passes the leader's answer on, message by message. It reports
// whether some of it has been.
func (s *Server) passStream(wait context.Context, ss grpc.ServerStream, method string, req proto.Message, out protoreflect.MessageType) (bool, error) {
	conn, try, changed, cancel, err := s.lineToLeader(ss.Context())
	if err != nil {
		return false, err
	}
	defer cancel()
	if err := lineReady(wait, conn, changed); err != nil {
		return false, err
	}
	up, err := conn.NewStream(try, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return false, err
	}
	if err := up.SendMsg(req); err != nil {
		return false, streamError(up, err)
	}
	if err := up.CloseSend(); err != nil {
		return false, err
	}
	begun := false
	for {
		m := out.New().Interface()
		if err := up.RecvMsg(m); err != nil {
			for k, v := range up.Trailer() {
				if strings.HasPrefix(k, "rink-") {
					ss.SetTrailer(metadata.MD{k: v})
				}
			}
			return begun, ended(err)
		}
		begun = true
		if err := ss.SendMsg(m); err != nil {
			return true, err
		}
	}
}

// askedStream is a stream whose request has been read already.
type askedStream struct {
	grpc.ServerStream
	req proto.Message
}

func (a *askedStream) RecvMsg(m any) error {
	if a.req == nil {
		return a.ServerStream.RecvMsg(m)
	}
	proto.Merge(m.(proto.Message), a.req)
	a.req = nil
	return nil
}
