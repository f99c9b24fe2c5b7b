package launcher

import (
	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/slice"
)

func rootToWire(r *slice.Root) *launcherpb.Root {
	if r == nil {
		return nil
	}
	w := &launcherpb.Root{Path: r.Path, Image: r.Image, Overlay: r.Overlay, Scratch: r.Scratch, ReadOnly: r.ReadOnly,
		MaskedPaths: r.MaskedPaths, ReadOnlyPaths: r.ReadOnlyPaths}
	for _, m := range r.Mounts {
		w.Mounts = append(w.Mounts, &launcherpb.RootMount{Type: m.Type, Source: m.Source, Target: m.Target, File: m.File, Only: m.Only,
			Flags: m.Flags, Data: m.Data, Optional: m.Optional})
	}
	for _, l := range r.Links {
		w.Links = append(w.Links, &launcherpb.Link{Path: l.Path, To: l.To})
	}
	return w
}

func rootFromWire(w *launcherpb.Root) *slice.Root {
	if w == nil {
		return nil
	}
	r := &slice.Root{Path: w.GetPath(), Image: w.GetImage(), Overlay: w.GetOverlay(), Scratch: w.GetScratch(), ReadOnly: w.GetReadOnly(),
		MaskedPaths: w.GetMaskedPaths(), ReadOnlyPaths: w.GetReadOnlyPaths()}
	for _, m := range w.GetMounts() {
		r.Mounts = append(r.Mounts, slice.RootMount{Type: m.GetType(), Source: m.GetSource(), Target: m.GetTarget(), File: m.GetFile(),
			Only: m.GetOnly(), Flags: m.GetFlags(), Data: m.GetData(), Optional: m.GetOptional()})
	}
	for _, l := range w.GetLinks() {
		r.Links = append(r.Links, slice.Link{Path: l.GetPath(), To: l.GetTo()})
	}
	return r
}
