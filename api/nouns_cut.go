package api

import (
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu"
	"github.com/runink/rink/sched"
)

// ShapesToProto converts what GPUs can be cut into.
func ShapesToProto(list []sched.Shape) []*rinkpb.Shape {
	var out []*rinkpb.Shape
	for _, s := range list {
		p := &rinkpb.Shape{File: s.File}
		for _, profile := range s.Profiles {
			one := &rinkpb.CutProfile{Name: profile.Name, Memory: profile.Memory}
			for _, at := range profile.Spans {
				one.Spans = append(one.Spans, &rinkpb.CutSpan{Start: Int32(at.Start), Size: Int32(at.Size)})
			}
			p.Profiles = append(p.Profiles, one)
		}
		out = append(out, p)
	}
	return out
}

// ShapesFromProto is ShapesToProto undone.
func ShapesFromProto(list []*rinkpb.Shape) []sched.Shape {
	var out []sched.Shape
	for _, p := range list {
		s := sched.Shape{File: p.GetFile()}
		for _, profile := range p.GetProfiles() {
			one := gpu.Profile{Name: profile.GetName(), Memory: profile.GetMemory()}
			for _, at := range profile.GetSpans() {
				one.Spans = append(one.Spans, gpu.Span{Start: int(at.GetStart()), Size: int(at.GetSize())})
			}
			s.Profiles = append(s.Profiles, one)
		}
		out = append(out, s)
	}
	return out
}

// CutsToProto converts GPUs that are cut.
func CutsToProto(list []sched.Cut) []*rinkpb.Cut {
	var out []*rinkpb.Cut
	for _, c := range list {
		out = append(out, &rinkpb.Cut{File: c.File, Profiles: textList(c.Profiles), Made: CutPartsToProto(c.Made), Why: c.Why})
	}
	return out
}

// CutsFromProto is CutsToProto undone.
func CutsFromProto(list []*rinkpb.Cut) []sched.Cut {
	var out []sched.Cut
	for _, p := range list {
		out = append(out, sched.Cut{File: p.GetFile(), Profiles: textList(p.GetProfiles()), Made: CutPartsFromProto(p.GetMade()), Why: p.GetWhy()})
	}
	return out
}

// CutPartsToProto converts instances.
func CutPartsToProto(list []sched.CutPart) []*rinkpb.CutPart {
	var out []*rinkpb.CutPart
	for _, m := range list {
		out = append(out, &rinkpb.CutPart{Profile: m.Profile, Files: m.Files, Number: Int32(m.Number)})
	}
	return out
}

// CutPartsFromProto is CutPartsToProto undone.
func CutPartsFromProto(list []*rinkpb.CutPart) []sched.CutPart {
	var out []sched.CutPart
	for _, p := range list {
		out = append(out, sched.CutPart{Profile: p.GetProfile(), Files: p.GetFiles(), Number: int(p.GetNumber())})
	}
	return out
}
