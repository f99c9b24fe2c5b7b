package scontrol

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
)

// showAssocMgr is "show assoc_mgr [accounts=] [users=] [qos=] [flags=]": users,
// associations and QOS with their limits and, in brackets, what counts against them.
func (c *call) showAssocMgr(first string) int {
	req := &rinkpb.StandingsRequest{Users: true, Assocs: true, Qos: true}
	words := c.more
	if first != "" {
		words = append([]string{first}, words...)
	}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if value == "" {
			fmt.Fprintf(c.env.Stderr, "No value given for option %s\n", w)
			return 0
		}
		is := func(name string) bool {
			return key != "" && len(key) <= len(name) && strings.EqualFold(name[:len(key)], key)
		}
		list := strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		switch {
		case is("accounts"):
			req.OfAccounts = append(req.OfAccounts, list...)
		case is("flags"):
			v := strings.ToLower(value)
			req.Users, req.Assocs, req.Qos = strings.Contains(v, "users"), strings.Contains(v, "assoc"), strings.Contains(v, "qos")
			if !req.Users && !req.Assocs && !req.Qos {
				fmt.Fprintf(c.env.Stderr, "invalid flag '%s', valid options are 'Assoc, QOS, and/or Users'\n", value)
				return 0
			}
		case is("qos"):
			req.OfQos = append(req.OfQos, list...)
		case is("users"):
			req.OfUsers = append(req.OfUsers, list...)
		default:
			fmt.Fprintf(c.env.Stderr, "invalid entity: %s for keyword:show assoc_mgr\n", w)
			return 1
		}
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.Standings(ctx, req)
	if err != nil {
		return c.failed("slurm_load_assoc_mgr_info error", cli.CallErr(err))
	}
	p := assocPrinter{reply: reply, one: c.o.oneLine}
	return c.print(p.text(req))
}

// assocPrinter writes what the controller says of associations.
type assocPrinter struct {
	reply *rinkpb.StandingsReply
	one   bool // each record on one line
	b     strings.Builder
}

func (p *assocPrinter) text(req *rinkpb.StandingsRequest) string {
	p.b.WriteString("Current Association Manager state\n")
	section := func(what, none string, n int) {
		switch {
		case n == 0:
			fmt.Fprintf(&p.b, "\nNo %s currently cached in Slurm.\n\n", none)
		case p.one:
			fmt.Fprintf(&p.b, "%s Records\n", what)
		default:
			fmt.Fprintf(&p.b, "\n%s Records\n\n", what)
		}
	}
	if req.Users {
		section("User", "users", len(p.reply.Users))
		for _, u := range p.reply.Users {
			fmt.Fprintf(&p.b, "UserName=%s(%d) DefAccount=%s DefWckey=%s AdminLevel=%s\n", u.Name, u.Uid, u.Account, u.Wckey, u.Admin)
		}
	}
	if req.Assocs {
		section("Association", "associations", len(p.reply.Assocs))
		for _, a := range p.reply.Assocs {
			p.assoc(a)
		}
	}
	if req.Qos {
		section("QOS", "QOS", len(p.reply.Qos))
		for _, q := range p.reply.Qos {
			p.qos(q)
		}
	}
	return p.b.String()
}

// line begins the next line of a record, so many steps in.
func (p *assocPrinter) line(indent string) {
	if p.one {
		p.b.WriteByte(' ')
		return
	}
	p.b.WriteString("\n" + indent)
}

const assocIndent = "    "

func (p *assocPrinter) assoc(a *rinkpb.AssocStanding) {
	sh, st := a.Share, a.Standing
	who, parent, usual := "", "", "No"
	if sh.User != "" {
		who = fmt.Sprintf("%s(%d)", sh.User, a.Uid)
	} else if sh.Parent != 0 {
		parent = fmt.Sprintf("%s(%d)", a.Parent, sh.Parent)
	}
	if a.Usual {
		usual = "Yes"
	}
	shares, norm, normed, factor := sh.Shares, sh.NormShares, sh.NormUsage, sh.Factor
	switch {
	case sh.Parent == 0:
		shares, norm, normed = 1, 0, 1
	case shares == sched.SharesParent:
		shares = sharesParent
	}
	if p.reply.FairTree && sh.User == "" {
		factor = 0
	}
	fmt.Fprintf(&p.b, "ClusterName=%s Account=%s UserName=%s Partition=%s Priority=%d ID=%d", p.reply.Cluster, sh.Account, who, sh.Partition, a.Priority, sh.Id)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "SharesRaw/Norm/Level/Factor=%d/%.2f/%d/%.2f", shares, norm, a.Level, factor)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "UsageRaw/Norm/Efctv=%.2f/%.2f/%.2f", sh.RawUsage, normed, sh.EffectiveUsage)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "ParentAccount=%s Lft=%d DefAssoc=%s", parent, a.Lft, usual)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "GrpJobs=%s GrpJobsAccrue=%s", grp(st.GrpJobs, st.Jobs), grp(st.GrpAccrue, st.Accruing))
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "GrpSubmitJobs=%s GrpWall=%s", grp(st.GrpSubmit, st.Submitted), wall(st))
	p.groups(st)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "MaxJobs=%s MaxJobsAccrue=%s MaxSubmitJobs=%s MaxWallPJ=%s",
		ifSet(st.MaxJobs, st.Jobs), ifSet(st.MaxAccrue, st.Accruing), ifSet(st.MaxSubmit, st.Submitted), minutes(st.MaxWall))
	p.jobLimits(st)
	fmt.Fprintf(&p.b, "MinPrioThresh=%s\n", number(st.MinPrio))
}

// sharesParent is how Slurm writes down that an association takes its parent's
// part.
const sharesParent = 2147483647

func (p *assocPrinter) qos(q *rinkpb.QOSStanding) {
	st := q.Standing
	fmt.Fprintf(&p.b, "QOS=%s(%d)", q.Name, q.Id)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "UsageRaw=%f", q.Used)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "GrpJobs=%s GrpJobsAccrue=%s GrpSubmitJobs=%s GrpWall=%s",
		grp(st.GrpJobs, st.Jobs), grp(st.GrpAccrue, st.Accruing), grp(st.GrpSubmit, st.Submitted), wall(st))
	p.groups(st)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "MaxWallPJ=%s", minutes(st.MaxWall))
	p.jobLimits(st)
	fmt.Fprintf(&p.b, "MinPrioThresh=%s ", number(st.MinPrio))
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "MinTRESPJ=%s", p.bounds(st.JobMin))
	mode := strings.ToUpper(q.PreemptMode)
	if mode == "" || mode == "CLUSTER" {
		mode = "OFF"
	}
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "PreemptMode=%s", mode)
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "Priority=%d", q.Priority)
	p.parts("Account", "PA", q.Accounts)
	p.parts("User", "PU", q.Users)
	p.b.WriteByte('\n')
}

// parts are the accounts or users that have jobs of a QOS.
func (p *assocPrinter) parts(what, suffix string, list []*rinkpb.PartStanding) {
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "%s Limits", what)
	if len(list) == 0 {
		if p.one {
			fmt.Fprintf(&p.b, "=No %ss", what)
			return
		}
		fmt.Fprintf(&p.b, "\n        No %ss", what)
		return
	}
	if p.one {
		p.b.WriteByte('=')
	}
	for _, part := range list {
		st := part.Standing
		p.line("      ")
		p.b.WriteString(part.Name)
		if p.one {
			p.b.WriteString("={")
		} else {
			p.b.WriteString("\n        ")
		}
		fmt.Fprintf(&p.b, "MaxJobs%s=%s MaxJobsAccrue%s=%s MaxSubmitJobs%s=%s",
			suffix, grp(st.MaxJobs, st.Jobs), suffix, grp(st.MaxAccrue, st.Accruing), suffix, grp(st.MaxSubmit, st.Submitted))
		p.line("        ")
		fmt.Fprintf(&p.b, "MaxTRES%s=%s", suffix, p.amounts(st.GrpTres))
		if p.one {
			p.b.WriteByte('}')
		}
	}
}

// groups are the limits on all jobs together.
func (p *assocPrinter) groups(st *rinkpb.Standing) {
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "GrpTRES=%s", p.amounts(st.GrpTres))
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "GrpTRESMins=%s", p.amounts(st.GrpMins))
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "GrpTRESRunMins=%s", p.amounts(st.GrpRunMins))
}

// jobLimits are the limits on each job, and the beginning of the line after them.
func (p *assocPrinter) jobLimits(st *rinkpb.Standing) {
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "MaxTRESPJ=%s", p.bounds(st.Job))
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "MaxTRESPN=%s", p.bounds(st.Node))
	p.line(assocIndent)
	fmt.Fprintf(&p.b, "MaxTRESMinsPJ=%s", p.bounds(st.JobMins))
	p.line(assocIndent)
}

// amounts are of each kind the limit, N for none, and what counts against it.
func (p *assocPrinter) amounts(b *rinkpb.Bounded) string {
	list := make([]string, 0, len(p.reply.Kinds))
	for i, kind := range p.reply.Kinds {
		most, used := int64(sched.NoLimit), int64(0)
		if i < len(b.GetMost()) {
			most = b.Most[i]
		}
		if i < len(b.GetUsed()) {
			used = b.Used[i]
		}
		list = append(list, kind+"="+grp(most, used))
	}
	return strings.Join(list, ",")
}

// bounds are the kinds with a limit.
func (p *assocPrinter) bounds(b *rinkpb.Bounded) string {
	var list []string
	for i, kind := range p.reply.Kinds {
		if i < len(b.GetMost()) && b.Most[i] >= 0 {
			list = append(list, fmt.Sprintf("%s=%d", kind, b.Most[i]))
		}
	}
	return strings.Join(list, ",")
}

// number is a limit, nothing for none.
func number(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// grp is a limit and what counts against it.
func grp(most, have int64) string {
	if most < 0 {
		return fmt.Sprintf("N(%d)", have)
	}
	return fmt.Sprintf("%d(%d)", most, have)
}

// ifSet is grp, nothing where there is no limit.
func ifSet(most, have int64) string {
	if most < 0 {
		return ""
	}
	return grp(most, have)
}

func minutes(seconds int64) string {
	if seconds < 0 {
		return ""
	}
	return strconv.FormatInt(seconds/60, 10)
}

// wall is GrpWall, in minutes.
func wall(st *rinkpb.Standing) string {
	most := "N"
	if st.GrpWall >= 0 {
		most = minutes(st.GrpWall)
	}
	return fmt.Sprintf("%s(%.2f)", most, st.Wall/60)
}
